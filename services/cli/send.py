"""How does somebody without a gateway publish channel events as a gateway would?"""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from contracts.channel import ConversationStarted, MessageReceived
from contracts.values import Channel
from services.cli.connection import HERE, Where, find
from services.cli.event_files import events_of_file, parties
from services.cli.failures import bad_input
from services.cli.output import console, print_json
from services.cli.publishing import Event, new_id, publish
from services.cli.typing_in import read
from services.runtime.clock import SystemClock

_LIVE = ("phone", "chat", "social")
"""Channels on which a gateway says that a customer was connected before the customer speaks."""


async def send(  # noqa: PLR0913 - each is an option of the command line
    channel: Channel,
    file: Path | None = None,
    /,
    *,
    text: str | None = None,
    from_: Annotated[list[str] | None, Parameter(name="--from", negative="")] = None,
    conversation: str | None = None,
    to: str = "caseloop",
    language: str | None = None,
    name: str | None = None,
    author: Literal["customer", "agent"] = "customer",
    agent: str | None = None,
    id_: Annotated[str | None, Parameter(name="--id")] = None,
    json: bool = False,
    where: Where = HERE,
) -> None:
    """Publish channel events: `caseloop send chat --text "ERR-500 after login" --from phone:+8613800005678`.

    Parameters
    ----------
    channel
        phone, chat, email, social or sms.
    file
        An e-mail as received (.eml), or events as JSON lines (.jsonl).
    text
        What was said. Without --conversation a new conversation begins.
    from_
        Who wrote, kind:value, kinds phone, email, member, order, social; may be repeated.
    conversation
        The conversation that this belongs to.
    to
        The number, account or queue that was contacted.
    language
        For example zh-CN or en.
    name
        The customer's name as the channel shows it.
    author
        Who said the text.
    agent
        The agent who is connected or who said the text.
    id_
        The event's id; the same id again changes nothing.
    json
        Print the published events as JSON lines.
    """
    now = SystemClock().now()
    if (text is None) == (file is None):
        raise bad_input("give either --text, or a file (.eml or .jsonl)")
    if file is not None:
        events = events_of_file(channel, file, now, id_)
    elif channel == "email":
        raise bad_input("an e-mail is sent as a file: caseloop send email MESSAGE.eml")
    else:
        spoken = {"text": text, "from": parties(from_ or []), "language": language, "author": author, "agent_id": agent}
        known = conversation or f"cli-{new_id()}"
        message = {**spoken, "channel": channel, "conversation_id": known, "message_id": id_ or new_id()}
        events = [Event(read(MessageReceived, message, "send"), id_ or new_id(), now)]
        if conversation is None and channel in _LIVE:
            began = {key: message[key] for key in ("channel", "conversation_id", "from", "language", "agent_id")}
            began |= {"to": to, "display_name": name}
            events.insert(0, Event(read(ConversationStarted, began, "send"), new_id(), now))
    await publish(find(where), events)
    _tell(events, as_json=json)


def _tell(events: list[Event], *, as_json: bool) -> None:
    for event in events:
        data = event.message.model_dump(mode="json", exclude_none=True)
        if as_json:
            print_json({"id": event.id, "type": event.message.type, "topic": event.message.topic_name(), "data": data})
            continue
        conversation = data.get("conversation_id", "its thread decides")
        console().print(f"published {event.message.type} on {event.message.topic_name()} (conversation {conversation})")

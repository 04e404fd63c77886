"""How is a case commanded from the terminal?"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from cyclopts import Parameter

from contracts.case_number import parse_case_number
from contracts.desk import Command
from contracts.message import derived_id
from contracts.registry import MESSAGES
from contracts.values import Actor
from services.cli.connection import HERE, Where, find, find_desk
from services.cli.desk import case_id_of
from services.cli.failures import bad_input
from services.cli.output import console, print_json
from services.cli.publishing import Event, new_id, publish
from services.cli.typing_in import read, typed
from services.runtime.clock import SystemClock

_PREFIX, _SUFFIX = "caseloop.command.", ".v1"
COMMANDS: dict[str, type[Command]] = {
    name.removeprefix(_PREFIX).removesuffix(_SUFFIX): kind
    for name, kind in MESSAGES.items()
    if issubclass(kind, Command)
}
_ACTORS = ("agent", "supervisor", "customer", "integrator", "system")


async def command(
    name: str,
    /,
    *words: str,
    case: str,
    by: str = "integrator:caseloop-cli",
    id_: Annotated[str | None, Parameter(name="--id")] = None,
    json: bool = False,
    where: Where = HERE,
) -> None:
    """Ask for a change of a case: `caseloop command resolve --case C4F7QX-92MKD-7K resolution="restarted"`.

    The router answers on `case.events`, with `command_rejected` when the business says no: `caseloop watch --case ...`.

    Parameters
    ----------
    name
        What is asked, for example `record_facts`, `make_promise`, `resolve`, `confirm_resolution`.
    words
        Fields as key=value; texts as they are, anything else as JSON. `facts.what=...` fills a field of a field,
        `due_at=+2h` is a time from now.
    case
        The case's id or its number.
    by
        Who asks, kind:id, kinds agent, supervisor, customer, integrator, system.
    id_
        The event's id; the same id again changes nothing.
    json
        Print the published event as JSON.
    """
    kind = COMMANDS.get(name.replace("-", "_"))
    if kind is None:
        raise bad_input(f"no command {name}; commands are {', '.join(sorted(COMMANDS))}")
    now = SystemClock().now()
    data = {**typed(kind, words, now), "by": actor(by).model_dump(mode="json")}
    message = read(kind, _completed(name, data, await _case_id(case, where), now), f"command {name}")
    event = Event(message, id_ or new_id(), now)
    await publish(find(where), [event])
    if json:
        print_json({"id": event.id, "type": message.type, "data": message.model_dump(mode="json", exclude_none=True)})
    else:
        console().print(f"asked for [bold]{name}[/] of case {message.case_id} (event {event.id})")


def actor(text: str) -> Actor:
    """Return who ``kind:id`` names; ``CommandError`` when it names nobody."""
    kind, colon, identity = text.partition(":")
    if not colon or not identity or kind not in _ACTORS:
        raise bad_input(f"--by {text!r}: write kind:id with a kind of {', '.join(_ACTORS)}, for example agent:a-17")
    return Actor.model_validate({"kind": kind, "id": identity})


def _completed(name: str, data: dict[str, Any], case_id: UUID, now: datetime) -> dict[str, Any]:
    """Return the data with the case, and with an id for a promise that has none yet."""
    if name.replace("-", "_") == "make_promise":
        data.setdefault("promise_id", str(derived_id(case_id, "promise", data.get("what"), now)))
    return {**data, "case_id": str(case_id)}


async def _case_id(named: str, where: Where) -> UUID:
    try:
        return UUID(named)
    except ValueError:
        number = parse_case_number(named)
    if number is None:
        raise bad_input(f"--case {named!r}: neither an id nor a valid case number; `caseloop case list` shows them")
    return await case_id_of(find_desk(where), number)

"""Does every channel event need an ending, and is every ending counted once?"""

from collections.abc import Collection
from pathlib import Path
from uuid import UUID

from contracts.channel import MessageReceived
from contracts.intake import ContactIgnored, ContactReceived
from contracts.message import Message, derived_id
from contracts.values import Cause, Party
from services.cli.audit.doors import Door, message_id_of
from services.cli.audit.findings import Findings
from services.cli.audit.repairs import PublishAgain
from services.cli.audit.runs import Fact, Sorter, by_key
from services.runtime.envelope import seal as headers_of
from services.runtime.records import Record
from tests.support.examples import MOMENT, example

Parked = dict[tuple[str, int, int], str]
ALL = {("channel.chat", 0): 1000}


def _record(message: Message, message_id: UUID, offset: int, *, value: bytes | None = None) -> Record:
    headers = headers_of(message, message_id=message_id, source="caseloop/test", time=MOMENT, traceparent=None)
    key = message.key().encode()
    return Record(message.topic_name(), 0, offset, 0, key, value or message.value(), headers)


def _spoken(number: int) -> tuple[MessageReceived, UUID]:
    party = Party(kind="phone", value="+8613800005678")
    text = {"channel": "chat", "conversation_id": "c", "message_id": str(number), "text": "x"}
    spoken = MessageReceived.model_validate({**text, "author": "customer", "from": (party,)})
    return spoken, derived_id("spoken", number)


def _contact(kind: type[ContactReceived | ContactIgnored], caused_by: UUID, **fields: object) -> Message:
    cause = Cause(id=str(caused_by), type=MessageReceived.type)
    return example(kind).model_copy(update={"cause": cause, **fields})


class _House:
    """A door, and the folder of what goes through it."""

    def __init__(
        self, folder: Path, parked: Parked | None = None, reached: dict[tuple[str, int], int] | None = None
    ) -> None:
        self.folder = folder
        self.events, self.contacts = Sorter(folder, "events"), Sorter(folder, "contacts")
        self.door = Door(self.events, self.contacts, Findings(), parked or {}, {}, ALL if reached is None else reached)

    def judged(self, known: Collection[UUID] = ()) -> dict[str, int]:
        self.events.close()
        waiting: list[Fact] = []
        for _, facts in by_key(self.events.runs, self.folder):
            waiting += self.door.judge(facts)
        for fact in waiting:
            if message_id_of(fact) in known:
                self.door.end("settled", 0)
            else:
                self.door.lost(fact)
        return dict(self.door.endings)


def test_every_ending_is_counted(tmp_path: Path) -> None:
    house = _House(tmp_path, {("channel.chat", 0, 3): "dead", ("channel.chat", 0, 4): "discarded"})
    door = house.door
    (first, first_id), (second, second_id), (third, third_id) = _spoken(1), _spoken(2), _spoken(3)
    door.take_channel_event(_record(first, first_id, 0))
    door.take_channel_event(_record(second, second_id, 1))
    door.take_contact(_record(_contact(ContactReceived, first_id, demands=()), derived_id("c", 1), 0))
    door.take_contact(_record(_contact(ContactIgnored, second_id), derived_id("c", 2), 1))
    door.take_channel_event(_record(first, first_id, 2))
    door.take_channel_event(_record(third, third_id, 3, value=b"no JSON"))
    door.take_channel_event(_record(third, derived_id("d"), 4))
    door.take_channel_event(_record(third, third_id, 5))

    assert house.judged({third_id}) == {
        "understood": 1,
        "ignored": 1,
        "duplicate": 1,
        "parked": 1,
        "discarded": 1,
        "settled": 1,
    }
    assert door.findings.listed == []


def test_an_event_without_an_ending_is_found_and_can_be_published_again(tmp_path: Path) -> None:
    house = _House(tmp_path)
    message, message_id = _spoken(1)
    house.door.take_channel_event(_record(message, message_id, 7))
    house.door.take_channel_event(_record(message, message_id, 8, value=b"broken"))

    assert house.judged() == {}

    found = {str(finding.spot): finding.repair for finding in house.door.findings.listed}
    assert found == {"channel.chat/0@7": PublishAgain("channel.chat", 0, 7), "channel.chat/0@8": None}


def test_what_intake_has_not_reached_is_in_flight_and_its_age_is_known(tmp_path: Path) -> None:
    house = _House(tmp_path, reached={("channel.chat", 0): 5})
    (first, first_id), (second, second_id) = _spoken(1), _spoken(2)
    house.door.take_channel_event(_record(first, first_id, 5))
    house.door.take_channel_event(_record(second, second_id, 6, value=b"broken"))

    assert house.judged() == {"in_flight": 2}
    assert (house.door.findings.total, house.door.oldest_ms) == (0, 0)


def test_a_contact_with_demands_owes_an_event_of_the_journal(tmp_path: Path) -> None:
    house = _House(tmp_path)
    house.door.take_contact(_record(_contact(ContactReceived, derived_id("e")), derived_id("c", 1), 4))
    house.door.take_contact(_record(_contact(ContactReceived, derived_id("e"), demands=()), derived_id("c", 2), 5))
    house.contacts.close()

    owed = [(key, list(facts)) for key, facts in by_key(house.contacts.runs, tmp_path)]

    assert owed == [(derived_id("c", 1).bytes, [("owed", 0, 4)])]


def test_a_contact_that_cannot_be_read_is_found(tmp_path: Path) -> None:
    house = _House(tmp_path)
    house.door.take_contact(_record(_contact(ContactReceived, derived_id("e")), derived_id("c", 1), 4, value=b"{"))

    assert [str(finding.spot) for finding in house.door.findings.listed] == ["contacts/0@4"]

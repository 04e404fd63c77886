"""What does followup listen to, and what does it run?"""

from contracts import router
from contracts.channel import CallReported
from contracts.intake import ContactReceived, ContactStarted
from contracts.message import Message
from services.followup.handlers import handler_of
from services.followup.reading import reads
from services.runtime.service import Service
from services.runtime.waiting import Rest

JOURNAL: frozenset[type[Message]] = frozenset(
    event
    for event in (getattr(router, name) for name in router.__all__)
    if isinstance(event, type) and issubclass(event, router.CaseEvent | router.CommandRejected) and event.type
)
"""Every event of a case: its versions are gapless only to those who read them all."""

SERVICE = Service(
    name="followup",
    topics=("case.events", "contacts", "channel.receipts"),
    wants=JOURNAL | {ContactStarted, ContactReceived, CallReported},
    reads=reads(JOURNAL),
    handler_of=handler_of,
    rest=Rest(turns=4.0),
)

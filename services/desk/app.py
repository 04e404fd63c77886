"""What is desk made of: what it listens to, what it does with it, and which pages it has?"""

from contracts import followup, notify, router
from contracts.message import Message
from contracts.policy import Policy
from contracts.registry import MESSAGES
from services.desk.handlers import handle
from services.desk.reading import reads
from services.desk.routes import routes_of
from services.runtime.service import Service
from services.runtime.waiting import UNHURRIED
from services.runtime.work import Handler

_STORIES = (router.CaseEvent, router.CommandRejected, followup.ClockMessage, notify.Notification)


def _wanted() -> frozenset[type[Message]]:
    """Return every event of the journal, every step of a clock, and every step of a message to a customer."""
    return frozenset(message for message in MESSAGES.values() if issubclass(message, _STORIES))


def _handler_of(_policy: Policy) -> Handler:
    return handle


SERVICE: Service = Service(
    name="desk",
    topics=("case.events", "followups", "notifications"),
    wants=_wanted(),
    reads=reads(_wanted()),
    handler_of=_handler_of,
    rest=UNHURRIED,
    guarded=False,
    routes=routes_of,
)
"""desk uses public topics only: whatever it shows, an integrator can build too.

Its rows have a version or a moment, and nothing older overwrites what is newer: a repeat changes nothing.
"""

"""How is it said what became of a message (topic ``notifications``)?"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from contracts.message import derived_id
from contracts.notify import (
    Notification,
    NotificationDeferred,
    NotificationDelivered,
    NotificationDropped,
    NotificationSent,
    NotificationSuppressed,
    NotificationUndelivered,
    NotificationUnknown,
)
from contracts.values import Cause, Channel, PolicyRef, rfc3339

Said = Literal["sent", "deferred", "unknown", "failed", "delivered", "suppressed", "dropped"]
UNSAID = frozenset({"greeting"})
"""Purposes not worth a line in the case's journal: the conversation itself shows them."""
_KINDS: dict[Said, type[Notification]] = {
    "sent": NotificationSent,
    "deferred": NotificationDeferred,
    "unknown": NotificationUnknown,
    "failed": NotificationUndelivered,
    "delivered": NotificationDelivered,
    "suppressed": NotificationSuppressed,
    "dropped": NotificationDropped,
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be said about one message of one case."""

    said: Said
    delivery_id: UUID
    case_id: UUID
    purpose: str
    channel: Channel
    milestone: str | None = None
    provider: str | None = None
    provider_ref: str | None = None
    reason: str | None = None
    until: datetime | None = None

    @property
    def message_id(self) -> UUID:
        """Return the id of the only message that ever says this about this delivery to this case.

        Two deferrals are two messages: quiet hours put it off, and then the provider asks for a pause.
        """
        moment = () if self.said != "deferred" or self.until is None else (rfc3339(self.until),)
        return derived_id(self.delivery_id, self.case_id, self.said, *moment)


def notification(notice: Notice, at: datetime, policy: PolicyRef, cause: Cause) -> Notification:
    """Return the message that says it."""
    data: dict[str, Any] = {
        "delivery_id": notice.delivery_id, "case_id": notice.case_id, "purpose": notice.purpose,
        "channel": notice.channel, "milestone": notice.milestone, "provider": notice.provider, "reason": notice.reason,
        "occurred_at": at, "policy": policy, "cause": cause,
    }  # fmt: skip
    match notice.said:
        case "sent":
            data["provider_ref"] = notice.provider_ref
        case "deferred":
            data["until"] = notice.until or at
        case "failed":
            data["reason"] = notice.reason or "not_given"
    return _KINDS[notice.said](**data)

"""How does intake run as it was before some types were known: one of them not at all, one in another version only?"""

from contracts.channel import CallbackRequested, EmailReceived
from contracts.registry import MESSAGES
from services.intake.app import SERVICE
from services.runtime.service import run

OTHER_VERSION = EmailReceived.type.replace(".v1", ".v0")

if __name__ == "__main__":
    del MESSAGES[CallbackRequested.type]
    MESSAGES[OTHER_VERSION] = MESSAGES.pop(EmailReceived.type)
    run(SERVICE)

"""Which texts does a customer get, when and in which words?"""

from contracts.policy.section import Section


class MessagesPolicy(Section):
    """The pack's section ``messages``."""

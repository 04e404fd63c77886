"""How is a message understood: rules, first match wins?"""

from contracts.policy.section import Section


class ClassificationPolicy(Section):
    """The pack's section ``classification``."""

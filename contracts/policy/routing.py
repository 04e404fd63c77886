"""How are cases prioritised and given to people?"""

from contracts.policy.section import Section


class RoutingPolicy(Section):
    """The pack's section ``routing``."""

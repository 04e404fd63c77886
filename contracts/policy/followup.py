"""Which clocks, callbacks and surveys does a case get?"""

from contracts.policy.section import Section


class FollowupPolicy(Section):
    """The pack's section ``followup``."""

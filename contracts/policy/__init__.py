"""What is a policy pack: the service standard that judges, as data?"""

from contracts.policy.loading import PolicyError, load_policy
from contracts.policy.pack import Policy

__all__ = ["Policy", "PolicyError", "load_policy"]

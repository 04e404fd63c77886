"""How long does a machine play? As the profile says: ``ci`` unless ``--hypothesis-profile nightly`` is given."""

from hypothesis import settings

CI, NIGHTLY = "ci", "nightly"


def register() -> None:
    """Make the profiles known; called once, before any is asked for."""
    settings.register_profile(CI, max_examples=200, stateful_step_count=50, deadline=None, print_blob=True)
    settings.register_profile(NIGHTLY, max_examples=20_000, stateful_step_count=200, deadline=None, print_blob=True)


def depth(share: float = 1.0) -> settings:
    """Return the settings of a machine; ``share`` is for one with a database behind it, which is slower."""
    profile = settings.get_profile(NIGHTLY if settings.get_current_profile_name() == NIGHTLY else CI)
    steps, stories = int(profile.stateful_step_count * share), int(profile.max_examples * share)
    return settings(profile, max_examples=stories, stateful_step_count=steps)

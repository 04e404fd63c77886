"""What do the unit tests of intake share: the shipped pack, compiled once."""

import json
from pathlib import Path
from typing import TypedDict

import pytest

from contracts.policy import Policy, load_policy
from services.intake.domain.classification import Rulebook
from services.intake.domain.replies import ReplyReader, reply_reader

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data"


class Labelled(TypedDict):
    """One labelled message."""

    text: str
    scenario: str
    category: str
    severity: str
    safety: bool
    demands: int


def labelled(name: str) -> list[Labelled]:
    """Return the labelled messages of a file of the test data."""
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


@pytest.fixture(scope="session")
def policy() -> Policy:
    """The shipped pack."""
    return load_policy(ROOT / "deploy" / "policies" / "standard.toml")


@pytest.fixture(scope="session")
def rulebook(policy: Policy) -> Rulebook:
    """Its rules, compiled."""
    return Rulebook(policy.classification)


@pytest.fixture(scope="session")
def reader(policy: Policy) -> ReplyReader:
    """Its words for short answers, compiled."""
    return reply_reader(policy.classification.replies)

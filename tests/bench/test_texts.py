"""Does what a customer writes cost in proportion to its length, whatever he writes? As a ratio in one run.

One text eight times as long may cost some eight times as much; a search that begins again at each character of a run
costs 64 times as much, and a text of the longest kind would hold up everybody's for minutes.
"""

import gc
import time
from collections.abc import Callable

import pytest

from contracts.policy import load_policy
from services.intake.domain.facts import facts_of, order_pattern
from services.intake.domain.mail_reply import reply_of
from services.intake.domain.replies import choice_of, opts_out, reply_reader
from services.runtime.settings import STANDARD_POLICY

SHORT, LONGER = 2_000, 8
RATIO_MAX = 3 * LONGER
TRIES = 5
PARTS = (" ", "\n", " \n", ". ", "、", "code ", "error: ", "-\n", "on bbb \n", "> a\n", "from: a\n", "1 ", "(", "a")
REPLIES = reply_reader(load_policy(STANDARD_POLICY).classification.replies)
ORDERS = order_pattern(["SO-99999999"])
READERS: dict[str, Callable[[str], object]] = {
    "facts": lambda text: facts_of(text, ORDERS),
    "choice": lambda text: choice_of(REPLIES, text),
    "stop": lambda text: opts_out(REPLIES, text),
    "reply": reply_of,
}


def _seconds(read: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    read(text)
    return time.process_time() - began


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", READERS)
def test_a_text_costs_in_proportion_to_its_length(name: str, part: str) -> None:
    read, times = READERS[name], SHORT // len(part)
    short, longer = f"error{part * times}x", f"error{part * times * LONGER}x"
    gc.disable()
    try:
        pairs = [(_seconds(read, short), _seconds(read, longer)) for _ in range(TRIES)]
    finally:
        gc.enable()
    assert min(long for _, long in pairs) <= RATIO_MAX * min(brief for brief, _ in pairs)

"""Are rules, terms, demands and short answers read as they should be?"""

import gc
import re
import sys
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.policy import Policy
from contracts.policy.classification import ClassificationPolicy
from services.intake.domain.classification import Rulebook
from services.intake.domain.demands import understand
from services.intake.domain.facts import case_token, facts_of, order_pattern
from services.intake.domain.language import language_of
from services.intake.domain.normalization import comparable, storable
from services.intake.domain.replies import ReplyReader, choice_of, opts_out, verdict_of
from services.intake.domain.terms import heads_of, pattern_of
from services.intake.domain.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("term", "text", "match"),
    [
        ("cannot", "i cannot work", "cannot"),
        ("can", "i cannot work", None),
        ("work*", "it works", "works"),
        ("(no|never) work*", "never worked", "never worked"),
        ("退~钱", "请退我的钱", "退我的钱"),
        ("退~钱", "退货。钱呢", None),
        ("#分", "给5分", "5分"),
        ("(真|)好(吃|看)", "真好看", "真好看"),
        ("((a|b)c|d) e", "bc e", "bc e"),
    ],
)
def test_a_term_finds_what_it_says(term: str, text: str, match: str | None) -> None:
    found = Vocabulary([(7, term)]).find(text)
    assert [text[place.start : place.end] for place in found][:1] == ([match] if match else [])
    assert all(place.owner == 7 for place in found)


@pytest.mark.parametrize("term", ["a|b", "(a", "a)", "~a", "", "(a|)", "((((a))))", "a~b~c~d~e"])
def test_what_is_no_term_is_refused(term: str) -> None:
    with pytest.raises(ValueError, match="is not a term"):
        pattern_of(term)


@given(
    st.sampled_from(["退~钱", "(a|bc)d*", "#分(钟|)", "don't (go|come)", "(很|非常|)满意"]),
    st.text(alphabet="退钱abcd5分钟 don't go满意很", max_size=30),
)
def test_the_heads_of_a_term_hide_no_match(term: str, text: str) -> None:
    pattern, heads = pattern_of(term), heads_of(term)
    for found in pattern.finditer(text):
        assert any(text.startswith(head, found.start()) for head in heads)


@given(st.text(max_size=300))
def test_a_comparable_text_has_the_same_length(text: str) -> None:
    assert len(comparable(text)) == len(text)


def test_storable_text_has_no_nul_and_no_surrogates() -> None:
    assert storable("a\0b\ud800") == "a\ufffdb\ufffd"


def test_every_field_names_its_rule_and_the_words(rulebook: Rulebook) -> None:
    judged = understand(rulebook, "我要投诉，客服态度太差").gravest
    evidence = {item.field: item for item in judged.evidence}

    assert set(evidence) == {"safety", "emotion", "scenario", "category", "severity", "importance"}
    assert (evidence["scenario"].value, evidence["scenario"].quote) == ("complaint", "我要投诉")
    assert (evidence["safety"].rule, evidence["safety"].quote) == ("safety.none", None)


@given(st.text(alphabet="不是吗请问退货投诉气死 can't the order!?。，12\n>", max_size=400))
def test_any_text_is_understood_and_quotes_are_of_the_text(rulebook: Rulebook, text: str) -> None:
    understood = understand(rulebook, text)
    own = understood.reading.text
    assert len(understood.demands) <= rulebook.policy.splitting.demands_max
    for wish in understood.demands:
        assert all(item.quote is None or item.quote in own for item in wish.classification.evidence)


def calls_for(rulebook: Rulebook, text: str) -> int:
    """Return how many functions are called to understand a text: its work, on any machine the same."""
    count = 0

    def counted(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    understand(rulebook, text)  # what is made once only is made here
    before = sys.getprofile()
    gc.disable()  # who is told of collections is counted, too, and there are more of them at one time than at another
    sys.setprofile(counted)
    try:
        understand(rulebook, text)
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


@pytest.mark.parametrize("words", ["请问", "can i ", "不", "(", "a", "!?", "怎么退款？", "1. refund? "])
def test_a_long_text_costs_no_more_than_its_beginning(rulebook: Rulebook, words: str) -> None:
    shown = rulebook.policy.characters_max
    beginning = (words * shown)[:shown]
    assert calls_for(rulebook, words * shown) == calls_for(rulebook, beginning) < 200 * shown


@pytest.mark.parametrize("term", ["退~钱", "work*", "#分", "(no|never) work*", "a~b~c~d*#"])
def test_no_part_of_a_term_repeats_without_bound(term: str) -> None:
    bare = re.sub(r"\\.|\[[^]]*\]", "", pattern_of(term).pattern)
    assert not re.search(r"[*+]|,\}", bare)


@pytest.mark.parametrize(
    "text", ["我的快递三天没更新了，麻烦查一下到哪了", "I was billed twice for the same subscription this month"]
)
def test_a_chat_message_tries_few_terms(rulebook: Rulebook, text: str) -> None:
    """All the terms of the pack are some thousands."""
    assert calls_for(rulebook, text) < 500


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("你好", 0),
        ("hello, thanks", 0),
        ("打错了", 0),
        ("never mind", 0),
        ("my order is late", 1),
        ("1、账单对不上；2、子账号还没开；3、专票要寄到新地址", 3),
        ("First, where is my order? Second, I need an invoice.", 2),
        ("The kettle is broken. By the way, my invoice is wrong.", 2),
    ],
)
def test_demands_are_counted(rulebook: Rulebook, text: str, count: int) -> None:
    assert len(understand(rulebook, text).demands) == count


@pytest.mark.parametrize(
    ("text", "scenario"),
    [
        ("1", "question"),
        ("2", "problem"),
        (" 3. ", "complaint"),
        ("4", "question"),
        ("投诉", "complaint"),
        ("Problem!", "problem"),
        ("7", None),
        ("my bill", None),
    ],
)
def test_a_choice_is_understood(reader: ReplyReader, text: str, scenario: str | None) -> None:
    assert choice_of(reader, text) == scenario


@pytest.mark.parametrize(
    ("text", "silence"),
    [
        ("STOP", True),
        (" stop. ", True),
        ("TD", True),
        ("T", True),
        ("ｔｄ", True),
        ("退订", True),
        ("【退订】", False),
        ("Unsubscribe!", True),
        ("退订会员", False),
        ("stop charging my card", False),
        ("", False),
    ],
)
def test_an_opt_out_is_the_whole_message(reader: ReplyReader, text: str, *, silence: bool) -> None:
    assert opts_out(reader, text) is silence


@pytest.mark.parametrize(
    ("text", "solved"),
    [
        ("好了，谢谢", True),
        ("yes", True),
        ("1", True),
        ("it works now", True),
        ("not solved", False),
        ("还是不行", False),
        ("没解决", False),
        ("No", False),
        ("2", False),
        ("The same problem is back, it happened again this morning", False),
        ("什么时候发货", None),
    ],
)
def test_a_verdict_is_read(rulebook: Rulebook, reader: ReplyReader, text: str, solved: bool | None) -> None:
    assert verdict_of(reader, rulebook.read(text)) is solved


def test_facts_are_read(policy: Policy) -> None:
    orders = order_pattern(policy.classification.order_numbers)
    assert facts_of("订单A202310001，登录后白屏，错误代码:ERR-500", orders) == {
        "order_no": "A202310001",
        "error_code": "ERR-500",
    }
    assert facts_of("where is #W4316152?", orders) == {"order_no": "#W4316152"}
    assert facts_of("2023 A4 paper", orders) == {}


def test_a_case_number_needs_its_check_digits() -> None:
    from contracts.case_number import case_number

    number = case_number(UUID(int=7 << 100))
    assert case_token(None, f"re: [{number.lower()}] hello") == number
    assert case_token(f"{number[:-1]}{'A' if number[-1] != 'A' else 'B'}") is None


@pytest.mark.parametrize(
    ("text", "known", "language"),
    [
        ("发票怎么开", None, "zh-CN"),
        ("where is my order", "zh-CN", "en"),
        ("2", "zh-CN", "zh-CN"),
        ("", None, "en"),
        ("ありがとう", "zh-CN", "zh-CN"),
    ],
)
def test_the_language_of_a_text(text: str, known: str | None, language: str) -> None:
    assert language_of(text, ("en", "zh-CN"), known) == language


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scenario": []}, "at least 1 item"),
        ({"safety": [{"name": "a", "value": "perhaps"}]}, "none of yes, no"),
        ({"safety": [{"name": "a", "value": "no", "zh": ["x"]}]}, "the last rule must be the default"),
        (
            {
                "safety": [
                    {"name": "b", "value": "yes", "when": {"scenario": ["question"]}},
                    {"name": "a", "value": "no"},
                ]
            },
            "judged later",
        ),
    ],
)
def test_a_wrong_rule_list_is_refused(policy: Policy, change: dict[str, object], words: str) -> None:
    data = policy.classification.model_dump() | change
    with pytest.raises(ValidationError, match=re.escape(words)):
        ClassificationPolicy.model_validate(data)

"""Do foreign words stay words, whatever they look like?"""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.policy import PolicyError, load_policy
from services.notify.domain.wording import bracketed, fill, moment, neutral, spoken, without_links
from tests.unit.notify.story import NOW, PACK, POLICY

SIGNS = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"), exclude_characters="[]@")
"""All signs but invisible ones and those that a cloaked link needs; both have tests of their own."""
PLAIN = st.text(SIGNS, max_size=300)


@given(PLAIN)
def test_any_words_of_a_customer_are_rendered_as_they_were_typed(words: str) -> None:
    assert fill("before {text} after", {"text": neutral(words)}) == f"before {words.strip()} after"


@given(st.text(max_size=300))
def test_nothing_invisible_and_no_line_break_gets_through(words: str) -> None:
    plain = neutral(words)
    assert not {unicodedata.category(sign) for sign in plain} & {"Cc", "Cf", "Cs"}
    assert not set(plain) & {"\r", "\n", "\u2028", "\u2029"}


@pytest.mark.parametrize("words", ["{{7*7}}", "{0.__class__}", "{company}", "%n%s", "${jndi:ldap://x}", "\\{text\\}"])
def test_words_that_look_like_a_template_are_not_one(words: str) -> None:
    assert fill("{text}", {"text": neutral(words)}) == words


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("https://bank.example@evil.example/x", "https://bank.example @ evil.example/x"),
        ("[bank.example](https://evil.example)", "bank.example (https://evil.example)"),
        ("pay\u200bpal \u202eevil", "paypal evil"),
        ("Subject\r\nBcc: all@example.org", "Subject Bcc: all@example.org"),
    ],
)
def test_a_link_says_where_it_leads_and_a_header_stays_one(words: str, shown: str) -> None:
    assert neutral(words) == shown


def test_words_of_somebody_unverified_carry_no_link() -> None:
    assert without_links("win at https://evil.example/now or www.evil.example") == "win at … or …"


@pytest.mark.parametrize(
    ("asked", "found"),
    [("zh-CN", "zh-CN"), ("zh", "zh-CN"), ("ZH-tw", "zh-CN"), ("en-GB", "en"), ("fr", "en")],
)
def test_a_customer_is_spoken_to_in_their_language_or_the_first_of_the_pack(asked: str, found: str) -> None:
    assert spoken(asked, POLICY.languages) == found


def test_a_time_is_told_on_the_customers_wall() -> None:
    assert moment(NOW, "Asia/Shanghai") == "2026-11-02 12:00 (UTC+8)"
    assert moment(NOW, "Asia/Kolkata") == "2026-11-02 09:30 (UTC+5:30)"


def test_details_stand_in_brackets_or_not_at_all() -> None:
    assert (bracketed([], "en"), bracketed(["SF", "1"], "en"), bracketed(["SF"], "zh-CN")) == ("", " (SF, 1)", "（SF）")


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ('en = "Call me back"', 'en = "Call {me} back"', "messages.wording.callback_label"),
        (", agent number {agent_number}, is", " is", "messages.wording.introduction"),
        ("Case {case_number} is being", "Case {case_number is being", "messages.wording.progress"),
        ('zh-CN = "请给我回电"', "", "messages.wording.callback_label: no text in zh-CN"),
        ('complaint = { en = "A complaint", zh-CN = "投诉" }', 'complaint = { en = "A complaint" }',
         "messages.choices.complaint: no text in zh-CN"),
        ('time_zone = "Asia/Shanghai"                     # F2', 'time_zone = "Asia/Atlantis" # F2',
         "messages.time_zone"),
        ('thanks = { via = "conversation"', "#", "messages.purposes.thanks"),
    ],
)  # fmt: skip
def test_a_pack_with_a_mistake_in_its_words_is_refused_by_key(
    was: str,
    becomes: str,
    said: str,
    tmp_path: Path,
) -> None:
    assert was in PACK
    pack = tmp_path / "pack.toml"
    pack.write_text(PACK.replace(was, becomes), "utf-8")
    with pytest.raises(PolicyError, match=r"pack\.toml:\d+: ") as refused:
        load_policy(pack)
    assert said in str(refused.value)

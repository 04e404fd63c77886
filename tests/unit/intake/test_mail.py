"""Does every e-mail survive, lose its quotes, and show whether a person wrote it?"""

import base64
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.mail import decoded, read_mail
from services.intake.domain.mail_body import html_text
from services.intake.domain.mail_reply import reply_of
from tests.unit.intake.conftest import DATA

MAILS = sorted(path for path in (DATA / "emails").rglob("*") if path.is_file())
SISIMAI = DATA / "emails" / "sisimai-set-of-emails"
HUMAN = (
    "talon",
    "github-email_reply_parser",
    "crisp-email-reply-parser",
    "zapier-email-reply-parser",
    "mail-mime-parser",
)
NO_BOUNCE = ("is-not-bounce", "rfc3834")


def test_every_mail_survives() -> None:
    assert len(MAILS) == 396
    for path in MAILS:
        mail = read_mail(decoded(base64.b64encode(path.read_bytes()).decode()))
        shown = "".join(part for part in (mail.text, mail.subject, mail.from_name, mail.full_text) if part)
        assert "\0" not in shown
        assert shown.encode("utf-8").decode("utf-8") == shown


def test_bounces_are_recognised() -> None:
    bounces = [path for path in SISIMAI.iterdir() if not path.name.startswith(NO_BOUNCE)]
    found = [path for path in bounces if read_mail(path.read_bytes()).automatic == "bounce"]
    assert len(found) / len(bounces) >= 0.98
    flanker = sorted((DATA / "emails" / "flanker").glob("bounce__*"))
    assert all(read_mail(path.read_bytes()).automatic == "bounce" for path in flanker)


def test_automatic_answers_are_recognised_and_are_no_bounces() -> None:
    answers = list(SISIMAI.glob("rfc3834-*"))
    assert answers
    assert {read_mail(path.read_bytes()).automatic for path in answers} == {"automatic"}
    assert {read_mail(path.read_bytes()).automatic for path in SISIMAI.glob("is-not-bounce-*")} == {None}


@pytest.mark.parametrize("folder", HUMAN)
def test_no_mail_of_a_person_is_taken_for_a_machine(folder: str) -> None:
    taken = [path.name for path in (DATA / "emails" / folder).iterdir() if read_mail(path.read_bytes()).automatic]
    assert taken == []


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("收到，谢谢\n\n在 2026年5月1日，张三 <a@b.com> 写道：\n> 您好\n> xx", "收到，谢谢"),
        ('还是不行\n------------------ 原始邮件 ------------------\n发件人: "x"\n主题: y', "还是不行"),
        ("ok\n\n发件人: a@b.c\n发送时间: 2026\n收件人: x\n主题: z\n\nold", "ok"),
        ("请退款\n\n发自我的iPhone", "请退款"),
        ("Hi\n\nOn Mon, Nov 2, 2026 at 9:30 AM\nShop <h@s.example>\nwrote:\n> old", "Hi"),
        ("Fine\n-----Original Message-----\nFrom: x", "Fine"),
        ("Fine\n\n-- \nLi\nThe Company", "Fine"),
        ("Fine\n\nBest regards,\nLi", "Fine"),
        ("From my side all is fine\nTo: be continued", "From my side all is fine\nTo: be continued"),
        ("On x at b wrote:\n> do you agree?\nyes I do\n> really?\nreally", "yes I do\nreally"),
        ("> only a quote", "> only a quote"),
    ],
)
def test_quotes_and_signatures_are_cut(text: str, own: str) -> None:
    assert reply_of(text) == own


@pytest.mark.parametrize("name", ["android", "aol", "apple_mail", "comcast", "outlook", "yahoo"])
def test_the_answers_of_mail_programs(name: str) -> None:
    text = read_mail((DATA / "emails" / "talon" / f"standard_replies__{name}.eml").read_bytes()).text
    assert text.splitlines()[0] == "Hello"


@pytest.mark.parametrize("path", sorted((DATA / "emails" / "talon").glob("*.html")), ids=lambda path: path.stem)
def test_html_answers(path: Path) -> None:
    text = reply_of(html_text(path.read_text("utf-8", "replace")))
    assert text.startswith("Hi. I am fine.")
    assert "How are you" not in text


def test_html_only_mail_becomes_text() -> None:
    raw = (
        b"From: a@b.co\r\nContent-Type: text/html; charset=gb2312\r\n\r\n<style>x{}</style><p>"
        + "退款<br>谢谢".encode("gb2312")
    )
    assert read_mail(raw).text == "退款\n谢谢"


@given(st.binary(max_size=600))
def test_any_bytes_are_a_mail(raw: bytes) -> None:
    read_mail(raw)


@given(st.text(max_size=200))
def test_any_text_is_decoded(text: str) -> None:
    assert isinstance(decoded(text), bytes)


@pytest.mark.parametrize(
    "line", ["On " + "a " * 90 + "\n", "a\nOn x at b wrote:\n> q\n", "2026-05-01" + "x" * 280 + "\n", "regards\n"]
)
def test_no_mail_takes_long(line: str) -> None:
    began = time.process_time()
    reply_of(line * 3000)
    assert time.process_time() - began < 5

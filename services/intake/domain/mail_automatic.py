"""Which mail was not written by a person: answers of machines, bounces, mailing lists, our own (R2, R8)?

Headers decide where a standard exists (RFC 3834, RFC 3464, RFC 5965, RFC 2919); the words of old mail servers are known
only for bounces that carry no such header.
"""

import re
from collections.abc import Callable
from typing import Literal

Reason = Literal["automatic", "bounce", "mailing_list", "own_message"]
OWN_HEADER = "x-caseloop-delivery"
"""Every mail of ours carries it."""
_ROBOT = re.compile(
    r"^(?:mailer[-_.]?daemon|mail[-_.]?daemon|post[-_.]?master|mail delivery"
    r"|mail[-_.]delivery[-_.]system|mailer|mdaemon|uucp|bounces?|mailsystem|mail[-_.]system"
    r"|microsoftexchange[0-9a-f]*|abuse[-_.]?report|feedbackloop)(?:[-+._][^@]*)?(?:@|$)",
)
_NO_REPLY = re.compile(r"^(?:no|do[-_.]?not|donot)[-_.]?reply\b")
_BOUNCE_SUBJECT = re.compile(
    r"(?:undeliver(?:able|ed)|(?:mail |message |e-mail |email )?deliver(?:y|ed)? (?:status|failure"
    r"|failed|problem|error|report|notification|has failed)"
    r"|returned mail|return(?:ed)? to sender|failure (?:notice|delivery)|mail (?:delivery|system"
    r"|could not|error|failure)|could not (?:be delivered|send)"
    r"|non[- ]?deliver|not deliver|delivery (?:has been )?(?:delayed|incomplete)"
    r"|warning: (?:could not send|message)|message (?:not|undelivered|delayed)"
    r"|user unknown|unknown user|address not found|rejected:|退信|退回|投递失败|发送失败|无法投递|系统退信"
    r"|配信|送信できません"
    r"|メールエラー|email not delivered"
    r"|there was an error sending your mail|notification (?:de|d')|undelivered)",
    re.IGNORECASE,
)
_BOUNCE_WORDS = re.compile(
    r"(?:^|\n)[^\S\n]*(?:final-recipient:|reporting-mta:|diagnostic-code:|x-failed-recipients:"
    r"|action: failed)|permanent(?: fatal)? errors|"
    r"(?:could not|couldn't|cannot|was not able to|unable to|failed to|has failed to"
    r"|not) (?:be )?deliver|undeliverable|user unknown|mailbox (?:is )?(?:full|unavailable)|no such user|"
    r"delivery (?:to the following|failed|failure|temporarily suspended|attempt)|\b55[0-4][ -]\d?\.?"
    r"|smtp error|recipient.{0,40}(?:rejected|unknown|not found)|"
    r"以下のメール|配送できません|退信|投递失败",
    re.IGNORECASE,
)
_AUTO_SUBJECT = re.compile(
    r"^(?:auto(?:matic)?[- ]?(?:reply|response|répons)|out of (?:the )?office|autoreply|auto:"
    r"|vacation|abwesenheit|réponse automatique|自动回复|自動回覆|自动答复)",
    re.IGNORECASE,
)
_AUTO_HEADERS = (
    "x-autoreply",
    "x-autorespond",
    "x-auto-reply",
    "x-autoresponder",
    "x-mail-autoreply",
    "x-autoreply-from",
)
_LIST_HEADERS = ("list-id", "list-unsubscribe", "list-post", "mailing-list", "x-mailing-list")
_REPORTS = frozenset({"message/delivery-status", "message/global-delivery-status", "message/feedback-report"})
_READ_MAX = 6_000
Header = Callable[[str], str]


def automatic_reason(
    header: Header,
    structure: frozenset[str],
    sender: str | None,
    text: str,
    own_addresses: tuple[str, ...],
) -> Reason | None:
    """Return why no person wrote this mail, or ``None``; the gravest reason first."""
    if header(OWN_HEADER) or (sender is not None and sender in {address.lower() for address in own_addresses}):
        return "own_message"
    if _is_bounce(header, structure, sender, text):
        return "bounce"
    if _is_robot(header, structure):
        return "automatic"
    return "mailing_list" if _is_list(header) else None


def _is_bounce(header: Header, structure: frozenset[str], sender: str | None, text: str) -> bool:
    if structure & _REPORTS or header("x-failed-recipients") or "delivery-status" in header("content-type").lower():
        return True
    if "report-type=feedback-report" in header("content-type").lower().replace('"', ""):
        return True
    robot = bool(_ROBOT.match(sender or "")) or bool(_ROBOT.match(_local(header("from"))))
    empty_path = header("return-path").replace(" ", "") == "<>"
    told = bool(_BOUNCE_SUBJECT.search(header("subject")))
    words = bool(_BOUNCE_WORDS.search(text[:_READ_MAX]))
    return robot or (empty_path and (told or words)) or (told and words)


def _local(text: str) -> str:
    """Return the sender as old servers write it, without an address in angle brackets or a domain."""
    return re.sub(r'["<>(),]', "", text).strip().lower()


def _is_robot(header: Header, structure: frozenset[str]) -> bool:
    submitted = header("auto-submitted").lower()
    if submitted and not submitted.startswith("no"):
        return True
    if any(header(name) for name in _AUTO_HEADERS) or "message/disposition-notification" in structure:
        return True
    if header("precedence").lower() in {"auto_reply", "auto-reply", "junk"} or header("x-auto-response-suppress"):
        return True
    if header("return-path").replace(" ", "") == "<>":
        return True
    return bool(_AUTO_SUBJECT.match(header("subject")) or _NO_REPLY.match(_bare(header("from"))))


def _bare(text: str) -> str:
    found = re.search(r"<([^<>]*)>", text)
    return (found[1] if found else text).strip().lower()


def _is_list(header: Header) -> bool:
    return any(header(name) for name in _LIST_HEADERS) or header("precedence").lower() in {"bulk", "list"}

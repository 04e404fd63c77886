"""How well does the shipped pack understand, measured on labelled messages that name no rule?"""

import csv
from collections import Counter
from collections.abc import Iterable

import pytest

from services.intake.domain.classification import Rulebook
from services.intake.domain.demands import Understanding, understand
from tests.unit.intake.conftest import DATA, Labelled, labelled

ACCOUNT = """
    activate_my_card card_linking change_pin edit_personal_details get_physical_card getting_spare_card
    getting_virtual_card get_disposable_virtual_card lost_or_stolen_card lost_or_stolen_phone
    order_physical_card passcode_forgotten pin_blocked terminate_account unable_to_verify_identity
    verify_my_identity why_verify_identity card_about_to_expire
""".split()  # noqa: SIM905 - a paragraph of names reads better than a column
PROBLEMS = frozenset(
    """
    Refund_not_showing_up balance_not_updated_after_bank_transfer
    balance_not_updated_after_cheque_or_cash_deposit beneficiary_not_allowed card_arrival card_not_working
    card_payment_fee_charged card_payment_not_recognised card_payment_wrong_exchange_rate card_swallowed
    cash_withdrawal_not_recognised compromised_card contactless_not_working declined_card_payment
    declined_cash_withdrawal declined_transfer direct_debit_payment_not_recognised extra_charge_on_statement
    failed_transfer lost_or_stolen_card lost_or_stolen_phone passcode_forgotten pending_card_payment
    pending_cash_withdrawal pending_top_up pending_transfer pin_blocked reverted_card_payment? top_up_failed
    top_up_reverted transaction_charged_twice transfer_not_received_by_recipient virtual_card_not_working
    wrong_amount_of_cash_received wrong_exchange_rate_for_cash_withdrawal
""".split()  # noqa: SIM905 - a paragraph of names reads better than a column
)
ARGUABLE = frozenset(
    """
    cancel_transfer cash_withdrawal_charge request_refund topping_up_by_card transfer_fee_charged
    unable_to_verify_identity
""".split()  # noqa: SIM905 - a paragraph of names reads better than a column
)
"""Asked as a question as often as told as a problem."""
CATEGORIES: dict[str, set[str]] = {
    **{name: {"account"} for name in ACCOUNT},
    **{name: {"logistics"} for name in ("card_arrival", "card_delivery_estimate")},
    **{
        name: {"policy", "account"}
        for name in ("age_limit", "country_support", "visa_or_mastercard", "card_acceptance")
    },
    **{
        name: {"product_fault", "account"}
        for name in ("card_not_working", "contactless_not_working", "virtual_card_not_working")
    },
    **{
        name: {"account", "billing"}
        for name in ("card_swallowed", "compromised_card", "verify_source_of_funds", "verify_top_up")
    },
    **{name: {"billing", "policy"} for name in ("apple_pay_or_google_pay", "atm_support", "fiat_currency_support")},
    "supported_cards_and_currencies": {"billing", "policy"},
    "request_refund": {"billing", "order"},
    "disposable_card_limits": {"account", "policy"},
}
"""What each intent of banking77 is in our vocabulary; all others are about money: ``billing``."""
EVERY = 7
"""Of the ten thousand sentences this share is measured here; the whole set gives the same figures."""


def shares(rows: Iterable[tuple[Labelled, Understanding]]) -> dict[str, float]:
    """Return for each field the share of messages that are understood as labelled."""
    right: Counter[str] = Counter()
    total = 0
    for wanted, understood in rows:
        judged, total = understood.gravest, total + 1
        right["scenario"] += judged.scenario == wanted["scenario"]
        right["category"] += judged.category == wanted["category"]
        right["severity"] += judged.severity == wanted["severity"]
        right["demands"] += len(understood.demands) == wanted["demands"]
    return {name: count / total for name, count in right.items()}


@pytest.mark.parametrize(
    ("file", "floor"),
    [
        ("zh_contacts.jsonl", {"scenario": 0.92, "category": 0.94, "severity": 0.94, "demands": 0.89}),
        ("held_out_contacts.jsonl", {"scenario": 0.92, "category": 0.90, "severity": 0.92, "demands": 0.92}),
    ],
)
def test_labelled_contacts_are_understood(rulebook: Rulebook, file: str, floor: dict[str, float]) -> None:
    reached = shares((row, understand(rulebook, row["text"])) for row in labelled(file))
    assert {name: share for name, share in reached.items() if share < floor[name]} == {}


@pytest.mark.parametrize("file", ["zh_contacts.jsonl", "held_out_contacts.jsonl"])
def test_no_danger_is_missed_and_hardly_any_invented(rulebook: Rulebook, file: str) -> None:
    found = [(row["safety"], understand(rulebook, row["text"]).gravest.safety) for row in labelled(file)]
    alarms = [real for real, seen in found if seen]

    assert all(seen for real, seen in found if real)
    assert sum(alarms) / len(alarms) >= 0.9


def test_banking_questions_in_english(rulebook: Rulebook) -> None:
    right: Counter[str] = Counter()
    with (DATA / "banking77.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::EVERY]
    for row in rows:
        understood = understand(rulebook, row["text"])
        judged, intent = understood.gravest, row["category"]
        told = judged.scenario in {"problem", "complaint"}
        right["scenario"] += intent in ARGUABLE or told == (intent in PROBLEMS)
        right["category"] += judged.category in CATEGORIES.get(intent, {"billing"})
        right["demands"] += len(understood.demands) == 1
        right["safe"] += not judged.safety
    floor = {"scenario": 0.80, "category": 0.89, "demands": 0.98, "safe": 0.999}
    assert {name: right[name] / len(rows) for name in floor if right[name] / len(rows) < floor[name]} == {}


@pytest.mark.parametrize(
    "text",
    [
        "气死我了，发票还没开",
        "这个按钮真要命，找半天",
        "手机卡死了",
        "救命，这优惠怎么叠加",
        "I'm dying to get my parcel",
        "the deadline is killing me",
    ],
)
def test_figures_of_speech_are_no_danger(rulebook: Rulebook, text: str) -> None:
    assert not understand(rulebook, text).gravest.safety

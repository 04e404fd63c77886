"""How does a case come to be understood: facts, restatement, classification, questions to the customer? (R5, R6, C1)"""

from contracts.desk import ConfirmUnderstanding, CorrectClassification, RecordFacts, RequestInformation, RestateProblem
from contracts.policy import Policy
from contracts.router import (
    CaseFactsRecorded,
    CaseInformationRequested,
    CaseProblemRestated,
    CaseReclassified,
    CaseUnderstandingConfirmed,
)
from contracts.values import Classification, Evidence, Importance, Quadrant, Severity
from services.router.domain.case import Case, evolve
from services.router.domain.journal import Decision, Occasion, Refusal, nothing, stamp, tell
from services.router.domain.offering import requeued, withdraw
from services.router.domain.priority import priority

CORRECTABLE = ("scenario", "category", "severity", "importance", "emotion", "safety")


def record_facts(case: Case, command: RecordFacts, occasion: Occasion) -> Decision | Refusal:
    """Keep the facts that are new or different (R6)."""
    changed = {name: value for name, value in command.facts.items() if case.facts.get(name) != value}
    if not changed:
        return Refusal("nothing_changed", "The case knows all of these facts.")
    after = evolve(case, facts=case.facts | changed)
    return tell(after, CaseFactsRecorded(**stamp(after, occasion), facts=changed))


def restate_problem(case: Case, command: RestateProblem, occasion: Occasion) -> Decision:
    """Keep the problem in the agent's words (R5)."""
    return tell(case, CaseProblemRestated(**stamp(case, occasion), text=command.text))


def confirm_understanding(case: Case, command: ConfirmUnderstanding, occasion: Occasion) -> Decision:
    """Keep the customer's yes or correction (R5)."""
    return tell(
        case,
        CaseUnderstandingConfirmed(
            **stamp(case, occasion),
            confirmed=command.confirmed,
            correction=command.correction,
        ),
    )


def request_information(case: Case, command: RequestInformation, occasion: Occasion) -> Decision:
    """Let the case wait for the customer (R6)."""
    after = evolve(case, state="waiting_customer")
    return tell(after, CaseInformationRequested(**stamp(after, occasion), fields=command.fields, text=command.text))


def correct_classification(case: Case, command: CorrectClassification, occasion: Occasion) -> Decision | Refusal:
    """Take the agent's word; a waiting case of another department goes to its queue, one in work stays (C1, A1)."""
    policy = occasion.policy
    if command.category is not None and command.category not in policy.vocabulary.categories:
        return Refusal("unknown_category", f"The policy pack knows no category {command.category}.")
    classification = _corrected(case.classification, command, occasion)
    department = department_of(classification, policy)
    moves = department != case.department and case.state in {"queued", "offered"}
    begun = withdraw(case, occasion, "the classification was corrected") if moves else nothing(case)
    supervisor = case.supervisor_needed or (classification.safety and policy.routing.supervisor_when_safety)

    def reclassified(current: Case) -> Decision:
        changes = {"classification": classification, "supervisor_needed": supervisor}
        if moves:
            after = requeued(current, occasion, department=department, **changes)
        else:
            after = evolve(current, **changes)
            after = evolve(after, priority=priority(after, occasion.now, policy.routing.priority))
        return tell(
            after,
            CaseReclassified(
                **stamp(after, occasion),
                classification=classification,
                previous=case.classification,
                priority=after.priority,
                department=after.department,
                reason=command.reason,
            ),
        )

    return begun.then(reclassified)


def department_of(classification: Classification, policy: Policy) -> str:
    """Return the department that answers for this: by scenario, else by category, else the fallback (A1)."""
    vocabulary = policy.vocabulary
    by_scenario = vocabulary.scenario_departments.get(classification.scenario)
    return by_scenario or vocabulary.categories.get(classification.category) or fallback_department(policy)


def fallback_department(policy: Policy) -> str:
    """Return who takes what no rule places; a pack without that department gives it to its first one."""
    fallback = policy.routing.fallback_department
    return fallback if fallback in policy.departments else next(iter(policy.departments), fallback)


def _corrected(old: Classification, command: CorrectClassification, occasion: Occasion) -> Classification:
    given = {field: getattr(command, field) for field in CORRECTABLE if getattr(command, field) is not None}
    rule = f"{occasion.by.kind}:{occasion.by.id}"[:255]
    evidence = tuple(
        Evidence(field=field, value=str(value).lower() if field == "safety" else str(value), rule=rule)
        for field, value in given.items()
    )
    kept = tuple(each for each in old.evidence if each.field not in given)
    new = old.model_copy(update=given | {"evidence": kept + evidence})
    return new.model_copy(update={"quadrant": quadrant(new.severity, new.importance)})


def quadrant(severity: Severity, importance: Importance) -> Quadrant:
    """Return where urgency and importance meet (C3)."""
    if severity == "urgent":
        return "urgent_important" if importance == "important" else "urgent"
    return "important" if importance == "important" else "routine"

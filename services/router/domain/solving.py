"""How is a case worked on and solved: options, progress, milestones, resolution? (S1, S4, S6, L1)"""

from contracts.case_number import tracking_no
from contracts.desk import ChooseSolution, ProposeSolution, ReachMilestone, RecordProgress, Resolve
from contracts.router import CaseProgressed, CaseResolved, MilestoneReached, SolutionChosen, SolutionProposed
from services.router.domain.case import Case, evolve
from services.router.domain.journal import Decision, Occasion, Refusal, stamp, tell


def propose_solution(case: Case, command: ProposeSolution, occasion: Occasion) -> Decision | Refusal:
    """Offer ways out; a later proposal takes the place of an earlier one (S1)."""
    options = tuple(option.option_id for option in command.options)
    if len(set(options)) != len(options):
        return Refusal("duplicate_option", "Two options have the same option_id; give each its own.")
    after = evolve(case, options=options)
    return tell(after, SolutionProposed(**stamp(after, occasion), options=command.options))


def choose_solution(case: Case, command: ChooseSolution, occasion: Occasion) -> Decision | Refusal:
    """Keep the customer's choice (S1)."""
    if command.option_id not in case.options:
        return _unknown_option(command.option_id)
    return tell(case, SolutionChosen(**stamp(case, occasion), option_id=command.option_id, note=command.note))


def record_progress(case: Case, command: RecordProgress, occasion: Occasion) -> Decision:
    """Keep one step of the work, a row of Table 2 (S6)."""
    return tell(
        case,
        CaseProgressed(
            **stamp(case, occasion),
            tracking_no=tracking_no(case.case_id),
            step=command.step,
            action=command.action,
            told_customer=command.told_customer,
            attachments=command.attachments,
        ),
    )


def reach_milestone(case: Case, command: ReachMilestone, occasion: Occasion) -> Decision | Refusal:
    """Tell a named event, once in each cycle of the case (S4)."""
    if command.milestone not in occasion.policy.vocabulary.milestones:
        return Refusal("unknown_milestone", f"The policy pack knows no milestone {command.milestone}.")
    if command.milestone in case.milestones:
        return Refusal("milestone_already_reached", f"{command.milestone} was reached before; it is told once.")
    after = evolve(case, milestones=(*case.milestones, command.milestone))
    return tell(
        after,
        MilestoneReached(
            **stamp(after, occasion),
            milestone=command.milestone,
            details=command.details,
            cycle=case.cycle,
        ),
    )


def resolve(case: Case, command: Resolve, occasion: Occasion) -> Decision | Refusal:
    """Call the case solved; the customer is asked, and the agent is free (L1)."""
    if not command.resolution.strip():
        return Refusal("no_resolution", "Say in resolution how the case was solved: nothing closes without a result.")
    if command.solution_option_id is not None and command.solution_option_id not in case.options:
        return _unknown_option(command.solution_option_id)
    after = evolve(case, state="solved", resolution=command.resolution, solved_at=occasion.now)
    return tell(
        after,
        CaseResolved(
            **stamp(after, occasion),
            resolution=command.resolution,
            solution_option_id=command.solution_option_id,
            agent_id=case.agent_id,
            cycle=case.cycle,
        ),
    )


def _unknown_option(option_id: str) -> Refusal:
    return Refusal("unknown_option", f"No option {option_id} was proposed; propose it first.")

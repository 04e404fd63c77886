"""How does a case pass between people: transfer, escalation, relief, work orders? (A4, A5, A6, C5)"""

from contracts.case_number import work_order_no
from contracts.desk import Escalate, OpenWorkOrder, RequestRelief, Transfer, UpdateWorkOrder
from contracts.message import derived_id
from contracts.router import CaseEscalated, CaseRelieved, CaseTransferred, WorkOrderOpened, WorkOrderUpdated
from services.router.domain.case import Case, WorkOrder, evolve
from services.router.domain.journal import Decision, Occasion, Refusal, View, stamp, tell
from services.router.domain.offering import requeued, withdraw

WHOLE = 100
"""Percent."""


def transfer(case: Case, command: Transfer, occasion: Occasion, view: View) -> Decision | Refusal:
    """Pass the case on with the customer's consent; the target's queue gets it, a named agent is asked first (A4)."""
    if not command.customer_agreed:
        return Refusal("customer_not_agreed", "Ask the customer first: a transfer needs customer_agreed.")
    target = command.to
    if target.department is not None and target.department not in occasion.policy.departments:
        return _unknown_department(target.department)
    colleague = view.agents.get(target.agent_id) if target.agent_id is not None else None
    if target.agent_id is not None and colleague is None:
        return Refusal("unknown_agent", f"There is no agent {target.agent_id}.")
    department = target.department or (colleague.department if colleague else case.department)
    skills = case.skills if target.skills is None else target.skills
    giver = case.agent_id
    barred = tuple(agent for agent in {*case.declined, *([giver] if giver else [])} if agent != target.agent_id)

    def transferred(current: Case) -> Decision:
        after = requeued(
            current,
            occasion,
            department=department,
            skills=skills,
            preferred_agent_id=target.agent_id,
            declined=tuple(sorted(barred)),
        )
        return tell(
            after,
            CaseTransferred(
                **stamp(after, occasion),
                from_agent_id=giver,
                department=department,
                to_agent_id=target.agent_id,
                skills=skills,
                reason=command.reason,
            ),
        )

    return withdraw(case, occasion, "the case was transferred").then(transferred)


def escalate(case: Case, command: Escalate, occasion: Occasion) -> Decision:
    """Raise the case to a supervisor (A6)."""
    giver = case.agent_id

    def escalated(current: Case) -> Decision:
        after = requeued(current, occasion, supervisor_needed=True, preferred_agent_id=None)
        return tell(
            after,
            CaseEscalated(
                **stamp(after, occasion),
                reason=command.reason,
                from_agent_id=giver,
                priority=after.priority,
            ),
        )

    return withdraw(case, occasion, "the case was escalated").then(escalated)


def relieve(case: Case, command: RequestRelief, occasion: Occasion) -> Decision | Refusal:
    """Give the case to a colleague of an agent who asked for relief (C5)."""
    if case.agent_id is None:
        return Refusal("no_agent", "Nobody has this case, so nobody can be relieved.")
    barred = tuple(sorted({*case.declined, case.agent_id}))
    after = requeued(case, occasion, declined=barred, preferred_agent_id=None)
    return tell(after, CaseRelieved(**stamp(after, occasion), agent_id=case.agent_id, reason=command.reason))


def open_work_order(case: Case, command: OpenWorkOrder, occasion: Occasion) -> Decision | Refusal:
    """Give another department work on this case: a number, a responsible person, nodes (A5)."""
    if command.department not in occasion.policy.departments:
        return _unknown_department(command.department)
    if len(set(command.nodes)) != len(command.nodes):
        return Refusal("duplicate_node", "Two nodes have the same name; give each its own.")
    order = WorkOrder(
        work_order_no=work_order_no(derived_id(case.case_id, "work_order", len(case.work_orders) + 1)),
        department=command.department,
        responsible=command.responsible,
        nodes=dict.fromkeys(command.nodes, "open"),
    )
    after = evolve(case, state="waiting_department", work_orders=(*case.work_orders, order))
    return tell(
        after,
        WorkOrderOpened(
            **stamp(after, occasion),
            work_order_no=order.work_order_no,
            department=order.department,
            responsible=order.responsible,
            nodes=command.nodes,
        ),
    )


def update_work_order(case: Case, command: UpdateWorkOrder, occasion: Occasion) -> Decision | Refusal:
    """Move one node on; when all work orders are complete the case goes on with its agent, or to the queue (A5)."""
    order = next((each for each in case.work_orders if each.work_order_no == command.work_order_no), None)
    if order is None:
        return Refusal("unknown_work_order", f"This case has no work order {command.work_order_no}.")
    if command.node not in order.nodes:
        return Refusal("unknown_node", f"Work order {order.work_order_no} has no node of this name.")
    moved = order.model_copy(update={"nodes": order.nodes | {command.node: command.state}})
    orders = tuple(moved if each is order else each for each in case.work_orders)
    after = evolve(case, work_orders=orders)
    if case.state == "waiting_department" and all(each.complete for each in orders):
        after = resumed(after, occasion)
    return tell(
        after,
        WorkOrderUpdated(
            **stamp(after, occasion),
            work_order_no=order.work_order_no,
            node=command.node,
            node_state=command.state,
            note=command.note,
            complete=moved.complete,
        ),
    )


def resumed(case: Case, occasion: Occasion) -> Case:
    """Return a case that waited as it goes on: with its agent, else in the queue.

    Where waiting gives units back, the agent may be full by now: the case is queued, and its agent is asked first (A2).
    """
    kept = case.state != "waiting_customer" or occasion.policy.routing.capacity.waiting_customer_percent == WHOLE
    if case.agent_id is not None and kept:
        return evolve(case, state="assigned")
    return requeued(case, occasion, preferred_agent_id=case.agent_id)


def _unknown_department(department: str) -> Refusal:
    return Refusal("unknown_department", f"The policy pack knows no department {department}.")

"""Scenarios of a hard day: emergencies, escalations, missed offers, promises at risk, calls that fail."""

from datetime import timedelta

from contracts.desk import ConfirmResolution, Escalate, MakePromise, MovePromise, OpenWorkOrder, RecordProgress, Resolve
from contracts.followup import CallbackTried, ClockStarted
from contracts.message import derived_id
from contracts.notify import OutboundMessageRequested
from contracts.router import (
    CallbackAttempted,
    CallbackCompleted,
    CallbackScheduled,
    CaseAssigned,
    CaseClosed,
    CaseEscalated,
    CaseOffered,
    CaseOfferEnded,
    CaseOpened,
    CaseReopened,
    CaseResolved,
    ClockWarned,
    PromiseMade,
    PromiseMoved,
    ResolutionRejected,
    WorkOrderOpened,
)
from contracts.values import Party
from services.cli.demo.cast import SILENT, Hands, person, question
from services.cli.demo.scene import CUSTOMER, Scene, agent, scenario


@scenario("a complaint escalates: apology, supervisor")
async def chat_complaint(scene: Scene) -> None:
    """Play a complaint beyond the agent's authority."""
    customer = person(scene.stage.run, 5).phone
    words = (
        "I want to complain! Your support was rude to me and this is the third time nobody helps. This is unacceptable."
    )
    await scene.say("chat", customer, words, language="en")
    case = await scene.opened("R1", "C1", "C5")
    if case.demand.classification.scenario != "complaint":
        raise AssertionError(f"understood as {case.demand.classification.scenario}")
    by = agent(await scene.assigned(case, "A1"))
    await scene.command(Escalate(case_id=case.case_id, by=by, reason="the customer asks for a supervisor"))
    await scene.of_case("escalated", CaseEscalated, case.case_id, "A6")
    await scene.expect(
        "an apology at once",
        OutboundMessageRequested,
        lambda each: each.case_id == case.case_id and each.purpose == "apology",
        "A6",
        "L2",
    )
    await scene.expect(
        "a supervisor takes it",
        CaseAssigned,
        lambda each: each.case_id == case.case_id and each.agent_id.startswith("demo-chief"),
        "A6",
    )


@scenario("an urgent outage by phone: clock and work order")
async def urgent_outage(scene: Scene) -> None:
    """Play a business that stands still."""
    caller = person(scene.stage.run, 6).phone
    await scene.connect("phone", caller, language="zh-CN")
    await scene.say("phone", caller, "我们公司的系统全部瘫痪了，所有门店都无法营业，请马上处理！", language="zh-CN")
    case = await scene.opened("R1", "C2", "C3", "C7")
    if case.demand.classification.severity != "urgent":
        raise AssertionError(f"taken for {case.demand.classification.severity}")
    await scene.expect(
        "its resolution clock runs",
        ClockStarted,
        lambda each: each.case_id == case.case_id and each.clock == "resolution",
        "C2",
    )
    by = agent(await scene.assigned(case, "A1", "A2"))
    order = OpenWorkOrder(
        case_id=case.case_id, by=by, department="operations", responsible="demo-ana", nodes=("check", "repair")
    )
    await scene.command(order)
    await scene.of_case("a work order with a number and a node list", WorkOrderOpened, case.case_id, "A5")


@scenario("a safety emergency bypasses the queue")
async def safety_emergency(scene: Scene) -> None:
    """Play a danger to people."""
    caller = person(scene.stage.run, 7).phone
    await scene.say(
        "sms", caller, "The battery of your charger caught fire and my son is burned, we need help", language="en"
    )
    case = await scene.opened("R1", "C4")
    if not case.demand.classification.safety or not case.supervisor_needed:
        raise AssertionError("the emergency was not recognised")
    scene.note("emergency plan with a contact, supervisor at once", "C4")
    await scene.expect(
        "a supervisor has it",
        CaseAssigned,
        lambda each: each.case_id == case.case_id and each.agent_id.startswith("demo-chief"),
        "C4",
    )


@scenario("an offer expires and goes to another")
async def offer_expires(scene: Scene) -> None:
    """Play an agent who does not answer: the one to whom the customer is connected, and who so is asked first."""
    customer = person(scene.stage.run, 8)
    await scene.connect("chat", customer.phone, agent_id=SILENT, language="en")
    await scene.say(
        "chat",
        customer.phone,
        f"Where is my parcel? Order {customer.order} should have been delivered last week",
        language="en",
    )
    case = await scene.opened("R1", "A1")
    first = await scene.of_case("an agent is asked", CaseOffered, case.case_id, "A2", "A3")
    if first.agent_id != SILENT:
        raise AssertionError(f"{first.agent_id} was asked first")
    ended = await scene.of_case("nobody answers: the offer ends", CaseOfferEnded, case.case_id, "A2")
    if (ended.offer_id, ended.outcome) != (first.offer_id, "expired"):
        raise AssertionError(f"the offer was {ended.outcome}")
    await scene.of_case("another is asked", CaseOffered, case.case_id, "A2", count=2)
    taken = await scene.assigned(case, "A2")
    if taken.agent_id == first.agent_id:
        raise AssertionError("the silent agent took it")


@scenario("a promise at risk: warned, moved, told in time")
async def promise_at_risk(scene: Scene) -> None:
    """Play a promise that cannot be kept."""
    customer = person(scene.stage.run, 9).phone
    await scene.say("chat", customer, question("transaction_charged_twice", 2), language="en")
    case = await scene.opened("R1")
    by = agent(await scene.assigned(case, "A1"))
    promise, due = derived_id("promise", case.case_id), scene.stage.soon(10)
    await scene.command(
        MakePromise(case_id=case.case_id, by=by, promise_id=promise, what="we call you back", due_at=due)
    )
    await scene.of_case("a promise with a clock", PromiseMade, case.case_id, "S2")
    await scene.expect(
        "the coming miss is noticed at 50 %",
        ClockWarned,
        lambda each: each.case_id == case.case_id and each.promise_id == promise,
        "S3",
    )
    later = due + timedelta(seconds=30)
    await scene.command(
        MovePromise(case_id=case.case_id, by=by, promise_id=promise, due_at=later, reason="the bank answers tomorrow")
    )
    await scene.of_case("moved, with a reason", PromiseMoved, case.case_id, "S3")
    told = await scene.expect(
        "the customer is told before it passes",
        OutboundMessageRequested,
        lambda each: each.case_id == case.case_id and each.purpose == "delay_notice",
        "S3",
    )
    if scene.stage.now() > due or not told.text:
        raise AssertionError("told too late")


def calls_fail_twice(hands: Hands, scene: Scene) -> None:
    """Set the stage for :func:`callback_fails_twice`."""
    hands.outcomes[person(scene.stage.run, 10).phone.value] = ["no_answer", "busy"]


@scenario("a callback gets through at the third try")
async def callback_fails_twice(scene: Scene) -> None:
    """Play a customer who is hard to reach."""
    customer = person(scene.stage.run, 10).phone
    await scene.say("chat", customer, question("declined_card_payment", 1), language="en")
    case = await scene.opened("R1")
    await scene.assigned(case, "A1")
    await scene.ask_for_call("chat", customer.value)
    await scene.of_case("the call is scheduled", CallbackScheduled, case.case_id, "A4", "F2")
    await scene.of_case("two tries do not get through", CallbackAttempted, case.case_id, "F2", count=2)
    await scene.expect(
        "each names its next rung",
        CallbackTried,
        lambda each: each.case_id == case.case_id and each.next_at is not None,
        "F2",
    )
    done = await scene.of_case("the third does", CallbackCompleted, case.case_id, "F2", "F7")
    if done.attempt != 3:  # noqa: PLR2004 - the third rung
        raise AssertionError(f"reached at attempt {done.attempt}")


def not_solved_on_the_phone(hands: Hands, scene: Scene) -> None:
    """Set the stage for :func:`not_solved`."""
    hands.unsolved.add(person(scene.stage.run, 11).phone.value)


@scenario("“not solved” reopens and goes to the supervisor")
async def not_solved(scene: Scene) -> None:
    """Play a solution that did not hold."""
    customer = person(scene.stage.run, 11).phone
    await scene.connect("phone", customer, language="en")
    await scene.say(
        "phone", customer, "My app does not work since the update, it shows error E17 and crashes", language="en"
    )
    case = await scene.opened("R1")
    by = agent(await scene.assigned(case, "A1"))
    await scene.command(
        RecordProgress(case_id=case.case_id, by=by, step="analysis", action="reset", told_customer="please try again")
    )
    await scene.command(Resolve(case_id=case.case_id, by=by, resolution="the app was reset"))
    await scene.of_case("solved", CaseResolved, case.case_id, "L1")
    await scene.of_case("the customer says no", ResolutionRejected, case.case_id, "F3")
    await scene.of_case("reopened at once", CaseReopened, case.case_id, "F3")
    again = await scene.expect(
        "a supervisor takes it",
        CaseAssigned,
        lambda each: each.case_id == case.case_id and each.agent_id.startswith("demo-chief"),
        "F3",
    )
    await scene.command(Resolve(case_id=case.case_id, by=agent(again), resolution="the update was taken back"))
    await scene.of_case("solved again", CaseResolved, case.case_id, "L1", count=2)
    await scene.command(ConfirmResolution(case_id=case.case_id, by=CUSTOMER, solved=True))
    await scene.of_case("closed with the customer's yes", CaseClosed, case.case_id, "F3", "L1")


@scenario("a known customer on another channel")
async def history_is_known(scene: Scene) -> None:
    """Play a customer who comes back by another channel."""
    customer = person(scene.stage.run, 12)
    await scene.say("chat", customer.phone, question("card_arrival", 1), language="en")
    first = await scene.opened("R1", "R4")
    other = f"{scene.conversation}-sms"
    await scene.say(
        "sms",
        Party(kind="phone", value=customer.phone.value),
        "My invoice shows a wrong amount, please correct it",
        conversation=other,
        language="en",
    )
    second = await scene.expect(
        "the same customer is recognised on another channel",
        CaseOpened,
        lambda each: each.contact.conversation_id == other and each.customer.customer_id == first.customer.customer_id,
        "R4",
    )
    if not any(each.case_id == first.case_id for each in second.history.open_cases):
        raise AssertionError("the open case is not in the history")
    scene.note("the history names the open case", "R4")

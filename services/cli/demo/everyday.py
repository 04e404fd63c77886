"""Scenarios of an ordinary day: how a need becomes a case, and a case a closed loop."""

import base64
import email
import email.policy
from email.message import EmailMessage
from functools import partial

from contracts.channel import ConversationEnded, EmailReceived
from contracts.desk import ConfirmResolution, ReachMilestone, RecordFacts, RecordProgress, Resolve, RestateProblem
from contracts.followup import SurveyReply
from contracts.intake import ContactIgnored, ContactReceived
from contracts.notify import OutboundCallRequested, OutboundMessageRequested
from contracts.router import (
    CallbackCompleted,
    CaseClosed,
    CaseContactAttached,
    CaseOpened,
    CaseProblemRestated,
    CaseProgressed,
    CaseResolved,
    CommandRejected,
    CustomerNotified,
    RecoveryOpened,
    SurveyAnswered,
    SurveySent,
)
from contracts.values import Attachment, Party
from services.cli.demo.cast import DATA, person, question, sample
from services.cli.demo.scene import CUSTOMER, Scene, agent, scenario


@scenario("电话报障: the manual's sample case, up to Table 3")
async def sample_case(scene: Scene) -> None:
    """Play the sample rows of Tables 1 to 3."""
    rows = sample()
    demand, (first, second) = rows["demand_records"][0], rows["process_records"]
    caller = person(scene.stage.run, 0).phone
    await scene.connect("phone", caller, display_name=demand["customer_name"], language="zh-CN")
    await scene.say(
        "phone",
        caller,
        f"{demand['description']}, 账号{demand['account_or_order_no']}, 业务中断, 很紧急",
        language="zh-CN",
    )
    case = await scene.opened("R1", "R4", "R9", "C1", "C2", "C7")
    by = agent(await scene.assigned(case, "A1", "A2"))
    await scene.command(RestateProblem(case_id=case.case_id, by=by, text=demand["description"]))
    await scene.of_case("the problem is restated", CaseProblemRestated, case.case_id, "R5")
    await scene.command(
        RecordFacts(
            case_id=case.case_id, by=by, facts={"order_no": demand["account_or_order_no"], "error_code": "ERR-500"}
        )
    )
    for row in (first, second):
        names = [row["attachment"]] if row["attachment"] else []
        files = tuple(
            Attachment(name=name, media_type="image/png", size_bytes=1, url=f"https://files.example/{name}")
            for name in names
        )
        await scene.command(
            RecordProgress(
                case_id=case.case_id,
                by=by,
                step=row["step"],
                action=row["action"],
                told_customer=row["customer_communication"],
                attachments=files,
            )
        )
    await scene.of_case("two steps stand in Table 2", CaseProgressed, case.case_id, "S6", count=2)
    await scene.command(Resolve(case_id=case.case_id, by=by, resolution="客户反馈重启后正常登录"))
    await scene.of_case("the case is solved", CaseResolved, case.case_id, "L1")
    await scene.of_case("the customer is called back", OutboundCallRequested, case.case_id, "F1")
    await scene.of_case("the customer confirms on the phone", CallbackCompleted, case.case_id, "F7")
    await scene.of_case("the case is closed", CaseClosed, case.case_id, "L1")
    await scene.of_case("a survey goes out by SMS", SurveySent, case.case_id, "F4")
    answer = f"{demand['satisfaction']} 5 5 5 很满意"
    await scene.say("sms", caller, answer, conversation=f"{scene.conversation}-sms", language="zh-CN")
    await scene.of_case("the verdict is on the case", SurveyAnswered, case.case_id, "F4", "R9")


@scenario("a chat: greeted, asked, solved, told, confirmed")
async def everyday_chat(scene: Scene) -> None:
    """Play the shortest closed loop."""
    customer = person(scene.stage.run, 1)
    await scene.connect("chat", customer.phone, display_name=customer.name, language="en")
    here = scene.conversation
    await scene.expect(
        "a greeting within 10 s",
        OutboundMessageRequested,
        lambda each: each.conversation_id == here and each.purpose == "greeting",
        "R2",
        seconds=10,
    )
    await scene.say("chat", customer.phone, "hello?", language="en")
    await scene.expect(
        "no need stated: asked to choose",
        OutboundMessageRequested,
        lambda each: each.conversation_id == here and each.purpose == "choice",
        "R3",
    )
    await scene.say("chat", customer.phone, question("card_not_working"), language="en")
    case = await scene.opened("R1", "R8", "C1")
    by = agent(await scene.assigned(case, "A1"))
    shipped = ReachMilestone(case_id=case.case_id, by=by, milestone="replacement_shipped", details={})
    await scene.command(shipped)
    await scene.expect("the milestone is told by SMS", CustomerNotified, partial(_tells, shipped), "S4")
    await scene.command(shipped)
    await scene.of_case("the milestone, reported again, is refused", CommandRejected, case.case_id, "S4")
    await scene.command(Resolve(case_id=case.case_id, by=by, resolution="a new card is on its way"))
    await scene.of_case("the case is solved", CaseResolved, case.case_id, "L1")
    await scene.command(ConfirmResolution(case_id=case.case_id, by=CUSTOMER, solved=True))
    await scene.of_case("the customer confirmed: closed", CaseClosed, case.case_id, "L1")
    await scene.expect(
        "thanked in the customer's language",
        OutboundMessageRequested,
        lambda each: each.case_id == case.case_id and each.purpose == "thanks",
        "L2",
    )
    _check_that_it_was_told_once(scene, shipped)
    await scene.stage.publish(
        ConversationEnded(channel="chat", conversation_id=here, ended_by="customer", duration_seconds=240)
    )


def _tells(milestone: ReachMilestone, told: CustomerNotified) -> bool:
    return (told.case_id, told.milestone) == (milestone.case_id, milestone.milestone)


def _check_that_it_was_told_once(scene: Scene, milestone: ReachMilestone) -> None:
    told = [each.channel for each in scene.stage.matching(CustomerNotified, partial(_tells, milestone))]
    if told != ["sms"]:
        raise AssertionError(f"the milestone was told {len(told)} times: {', '.join(told)}")
    scene.note("one SMS of the milestone until the end", "S4")


def _mail(scene: Scene, file: str, text: str | None) -> EmailReceived:
    """Return a recorded e-mail, its ids made those of this performance, its text replaced if one is given."""
    run = scene.stage.run.encode()
    raw = (DATA / file).read_bytes()
    for ours in (b"1234@local.machine.example", b"3456@example.net", b"jdoe@machine.example", b"mary@example.net"):
        raw = raw.replace(ours, ours.replace(b"@", b"+" + run + b"@"))
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)  # noqa: S101 - that is what this policy makes
    if text is not None:
        message.set_content(text)
    return EmailReceived(channel="email", raw_base64=base64.b64encode(message.as_bytes()).decode())


@scenario("an e-mail thread with a reply and an automatic answer")
async def email_thread(scene: Scene) -> None:
    """Play two mails of one thread and an out-of-office."""
    words = question("Refund_not_showing_up", 3)
    seen = {each.case_id for each in scene.stage.matching(CaseOpened, lambda _: True)}
    await scene.stage.publish(_mail(scene, "opening.eml", words))
    case = await scene.expect(
        "the e-mail opens a case",
        CaseOpened,
        lambda each: each.contact.channel == "email" and each.case_id not in seen and words[:20] in each.demand.text,
        "R1",
        "R8",
    )
    scene.case_number = case.case_number
    await scene.expect(
        "acknowledged with the case number",
        OutboundMessageRequested,
        lambda each: (
            each.case_id == case.case_id and each.purpose == "acknowledgement" and case.case_number in each.text
        ),
        "R2",
    )
    await scene.stage.publish(_mail(scene, "reply.eml", "I forgot to say: the order was cancelled two weeks ago."))
    await scene.of_case("the reply joins the same case", CaseContactAttached, case.case_id, "R8")
    ignored = len(list(scene.stage.matching(ContactIgnored, lambda _: True)))
    await scene.stage.publish(_mail(scene, "automatic.eml", None))
    await scene.expect("the automatic answer is recognised", ContactIgnored, lambda _: True, "R2", count=ignored + 1)


@scenario("two demands in one message: two linked cases")
async def two_demands(scene: Scene) -> None:
    """Play a message with two needs."""
    customer = Party(kind="social", value=f"wx-{scene.stage.run}")
    text = "第一，我的订单W2378156到现在还没有发货，物流信息一直不更新；第二，上个月的发票金额开错了，请重新开发票。"
    await scene.say("social", customer, text, language="zh-CN")
    here = scene.conversation
    await scene.expect(
        "two demands are understood",
        ContactReceived,
        lambda each: each.contact.conversation_id == here and len(each.demands) == 2,  # noqa: PLR2004 - the two of the message
        "R7",
    )
    await scene.opened("R7")
    await scene.expect(
        "two cases, linked",
        CaseOpened,
        lambda each: each.contact.conversation_id == here and len(each.links) > 0,
        "R7",
    )


@scenario("the same event three times: one case")
async def same_event_twice(scene: Scene) -> None:
    """Play a gateway that repeats itself."""
    customer = person(scene.stage.run, 2).phone
    event = await scene.say("sms", customer, question("passcode_forgotten", 2), language="en")
    case = await scene.opened("R8")
    text = case.demand.text
    for _ in range(2):
        await scene.say("sms", customer, text, event_id=event, language="en")
    await scene.say("sms", customer, "it began this morning, I tried three times", language="en")
    await scene.of_case("a later message arrives", CaseContactAttached, case.case_id, "R8")
    cases = list(scene.stage.matching(CaseOpened, lambda each: each.contact.conversation_id == scene.conversation))
    added = list(scene.stage.matching(CaseContactAttached, lambda each: each.case_id == case.case_id))
    if (len(cases), len(added)) != (1, 1):
        raise AssertionError(f"the repeat made {len(cases)} cases and {len(added)} additions")
    scene.note("exactly one case and no second copy of the words", "R8")


@scenario("a survey of ones opens a recovery")
async def low_score(scene: Scene) -> None:
    """Play an unhappy end that is taken up again."""
    customer = person(scene.stage.run, 3).phone
    await scene.say("chat", customer, question("exchange_rate", 3), language="en")
    case = await scene.opened("R1")
    by = agent(await scene.assigned(case, "A1"))
    await scene.command(Resolve(case_id=case.case_id, by=by, resolution="the rate is on our page"))
    await scene.of_case("the case is solved", CaseResolved, case.case_id, "L1")
    await scene.command(ConfirmResolution(case_id=case.case_id, by=CUSTOMER, solved=True))
    await scene.of_case("a survey goes out", SurveySent, case.case_id, "F4")
    await scene.say("chat", customer, "1 1 1 1 nobody listened", language="en")
    await scene.of_case("the answer is matched from the chat", SurveyReply, case.case_id, "F4")
    await scene.of_case("a recovery is opened", RecoveryOpened, case.case_id, "F5")

"""Does the audit know which events make which service remember a version?"""

from contracts import router
from services.cli.audit.listeners import EVERY_EVENT, TAKES
from services.desk.app import SERVICE as DESK
from services.followup.app import JOURNAL
from services.intake.domain.reading import READS
from services.notify.handlers import CASE_EVENTS

_NO_NEWS_OF_THE_CASE = {router.SurveySent, router.SurveyAnswered}


def test_each_service_takes_the_version_of_what_it_listens_to() -> None:
    assert TAKES["intake"] == READS.keys() - _NO_NEWS_OF_THE_CASE
    assert TAKES["notify"] == CASE_EVENTS
    assert TAKES["followup"] == JOURNAL == EVERY_EVENT
    assert TAKES["desk"] == {each for each in DESK.wants if issubclass(each, router.CaseEvent | router.CommandRejected)}

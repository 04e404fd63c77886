"""Does somebody without a terminal read plain lines on standard error, and nothing on standard output?"""

import pytest

from services.cli.audit import progress
from services.cli.audit.progress import telling


def test_plain_lines_go_to_standard_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)

    with telling() as speaker:
        speaker.begin("reading", 3000)
        speaker.advance(1000)
        speaker.begin("looking", 0)
        speaker.advance(7)

    said = capsys.readouterr()
    assert said.err == "audit: reading: 1,000 of 3,000\naudit: looking: 7\n"
    assert said.out == ""

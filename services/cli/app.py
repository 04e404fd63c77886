"""Which commands are there? Each is imported only when it is typed, so that ``caseloop --help`` is quick."""

from importlib.metadata import PackageNotFoundError, version

from cyclopts import App


def _version() -> str:
    try:
        return version("caseloop")
    except PackageNotFoundError:
        return "unknown (not installed)"


app = App(
    name="caseloop",
    help="Event-driven case orchestration: receive, process, feed back, confirm, close - and nothing dropped between.",
    help_format="markdown",
    version=_version,
)
app.command("services.cli.up.command:up", name="up")
app.command("services.cli.playing:demo", name="demo")
app.command("services.cli.send:send", name="send")
app.command("services.cli.command:command", name="command")
app.command("services.cli.watch:watch", name="watch")
app.command("services.cli.status:status", name="status")
app.command("services.cli.audit.command:audit", name="audit")
app.command("services.cli.export:export", name="export")
app.command("services.cli.operations:migrate", name="migrate")
app.command("services.cli.operations:topics", name="topics")

case = App(name="case", help="Look at cases: the board, one case's story, and why it went as it did.")
case.command("services.cli.case:list_", name="list")
case.command("services.cli.case:show", name="show")
case.command("services.cli.case:why", name="why")
app.command(case)

parked = App(
    name="parked", help="The parking lot: records that did not end well, byte for byte, and what to do about them."
)
parked.command("services.cli.parked:list_", name="list")
parked.command("services.cli.parked:show", name="show")
parked.command("services.cli.parked:retry", name="retry")
parked.command("services.cli.parked:discard", name="discard")
app.command(parked)

policy = App(name="policy", help="Policy packs: the service standard as data.")
policy.command("services.cli.policy:check", name="check")
policy.command("services.cli.policy:show", name="show")
app.command(policy)

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
app.command("services.cli.up.command:up", name="up", help="Run a whole system on this machine until Ctrl-C.")
app.command(
    "services.cli.playing:demo",
    name="demo",
    help="Play scenarios of the service standard and show the closed loop live.",
)
app.command("services.cli.send:send", name="send", help="Publish channel events as a gateway would.")
app.command("services.cli.command:command", name="command", help="Ask for a change of a case.")
app.command("services.cli.watch:watch", name="watch", help="Follow the public journal of all cases, or of one.")
app.command("services.cli.status:status", name="status", help="Show how each service is.")
app.command("services.cli.audit.command:audit", name="audit", help="Prove that nothing was lost.")
app.command("services.cli.export:export", name="export", help="Export Tables 1, 2 and 3.")
app.command("services.cli.operations:migrate", name="migrate", help="Bring the schemas of all services up to date.")
app.command("services.cli.operations:topics", name="topics", help="Create the topics that are not there yet.")

case = App(name="case", help="Look at cases: the board, one case's story, and why it went as it did.")
case.command("services.cli.case:list_", name="list", help="Show the board, newest cases first.")
case.command(
    "services.cli.case:show", name="show", help="Show one case with its timeline, promises, clocks and messages."
)
case.command("services.cli.case:why", name="why", help="Show why a case is classified, ranked and assigned as it is.")
app.command(case)

parked = App(
    name="parked", help="The parking lot: records that did not end well, byte for byte, and what to do about them."
)
parked.command("services.cli.parked:list_", name="list", help="List the parking lot of all services.")
parked.command("services.cli.parked:show", name="show", help="Show one parked record with everything in it.")
parked.command("services.cli.parked:retry", name="retry", help="Try parked records again.")
parked.command("services.cli.parked:discard", name="discard", help="Give parked records up; why is kept.")
app.command(parked)

policy = App(name="policy", help="Policy packs: the service standard as data.")
policy.command("services.cli.policy:check", name="check", help="Check a policy pack.")
policy.command("services.cli.policy:show", name="show", help="Show a policy pack with every default filled in.")
app.command(policy)

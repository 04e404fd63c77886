"""Do time, chance, the environment, background work and swallowed errors each stay in their one home?"""

import ast
import re

import pytest

from tests.architecture.sources import PRODUCT, Source, dotted, sources

HOMES = {
    "datetime.datetime.now": {"services/runtime/clock.py"},
    "datetime.datetime.utcnow": set(),
    "datetime.datetime.today": set(),
    "datetime.date.today": set(),
    "time.time": {"deploy/local/sms.py", "deploy/local/sms_receipts.py"},
    "uuid.uuid1": set(),
    "uuid.uuid4": set(),
    "os.environ": {"services/runtime/configuration.py", "deploy/local/cache.py", "deploy/local/java.py"},
    "os.getenv": set(),
    "asyncio.create_task": set(),
    "asyncio.ensure_future": {"services/cli/up/command.py"},
}
"""Whose only business this is. A group's ``create_task`` is something else: the group waits for its tasks."""

BROAD_HOME = "services/runtime/processing.py"
"""Where a bug in a handler becomes an ending."""

PACED = ("tests/support/", "tests/bench/", "tests/chaos/", "tests/delivery/test_kills_under_load.py")
"""Where a run is given its pace, and where the waiting of all tests stands."""

QUERIES = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "prepare", "cursor"}
UNREASONED = re.compile(r"# (noqa(: [A-Z0-9, ]+)?|type: ignore(\[[a-z, -]+\])?)(?!.*\w{3})")
UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")))


@pytest.mark.parametrize("name", HOMES)
def test_a_name_stays_in_its_home(name: str) -> None:
    used = {f"{source.path}:{line}" for source in sources(*PRODUCT) for line, found in source.names if found == name}
    assert {use for use in used if use.rpartition(":")[0] not in HOMES[name]} == set()


def test_the_check_sees_through_every_way_to_import() -> None:
    ways = (
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime\ndatetime.now()",
        "from datetime import datetime as moment\nmoment.now()",
        "import datetime as d\nd.datetime.now()",
    )
    for way in ways:
        assert "datetime.datetime.now" in {name for _, name in Source("x.py", way, ast.parse(way)).names}


def test_only_one_place_catches_everything() -> None:
    broad = {
        f"{source.path}:{node.lineno}"
        for source in sources(*PRODUCT)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler) and is_broad(node) and not passes_on(node)
    }
    assert {place for place in broad if place.rpartition(":")[0] != BROAD_HOME} == set()


def test_no_statement_is_built_from_parts() -> None:
    built = {
        f"{source.path}:{call.lineno}"
        for source in sources(*PRODUCT)
        for call in source.calls()
        if isinstance(call.func, ast.Attribute) and call.func.attr in QUERIES and call.args
        if isinstance(call.args[0], ast.JoinedStr | ast.BinOp)
    }
    assert built == set()


def test_tests_know_values_and_no_mocks() -> None:
    names = {(source.path, name) for source in sources("tests", *PRODUCT) for _, name in source.names}
    assert {path for path, name in names if name.startswith("unittest.mock") or name == "unittest"} == set()


def test_tests_do_not_skip() -> None:
    banned = {
        "pytest.skip",
        "pytest.mark.skip",
        "pytest.mark.skipif",
        "pytest.mark.xfail",
        "pytest.xfail",
        "pytest.importorskip",
    }
    assert {
        f"{source.path}:{line}" for source in sources("tests") for line, name in source.names if name in banned
    } == set()


def test_tests_wait_for_a_fact_with_a_deadline_and_do_not_sleep() -> None:
    slept = {
        f"{source.path}:{call.lineno}"
        for source in sources("tests")
        if not source.path.startswith(PACED)
        for call in source.calls()
        if is_sleep(call) and call not in waits(source)
    }
    assert slept == set()


def test_an_exception_from_a_rule_gives_its_reason() -> None:
    assert places(UNREASONED) == set()


def test_nothing_is_left_for_later() -> None:
    assert places(UNFINISHED) == set()


def places(pattern: re.Pattern[str]) -> set[str]:
    """Every line of ours that matches."""
    return {
        f"{source.path}:{number}: {line.strip()}"
        for source in sources("tests", *PRODUCT)
        if source.path != "tests/architecture/test_words.py"
        for number, line in enumerate(source.text.splitlines(), 1)
        if pattern.search(line)
    }


def is_sleep(call: ast.Call) -> bool:
    """Whether it passes time; a sleep of nothing only lets others run."""
    return dotted(call.func) in {"time.sleep", "asyncio.sleep", "sleep"} and ast.unparse(call.args[0]) != "0"


def waits(source: Source) -> set[ast.Call]:
    """The calls inside a loop that asks for a fact, in a function that knows when to give up."""
    functions = [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    patient = [node for node in functions if re.search("timeout|deadline", ast.unparse(node), re.IGNORECASE)]
    loops = [loop for function in patient for loop in ast.walk(function) if isinstance(loop, ast.While)]
    return {node for loop in loops for node in ast.walk(loop) if isinstance(node, ast.Call)}


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether it catches bugs as well."""
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(kind) in {"Exception", "BaseException"} for kind in kinds)


def passes_on(handler: ast.ExceptHandler) -> bool:
    """Whether it only cleans up: its last word is a bare raise."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None

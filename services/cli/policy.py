"""Is a policy pack right, and what does it say?"""

from pathlib import Path

from contracts.policy import Policy, PolicyError, load_policy
from services.cli.connection import HERE, Where
from services.cli.failures import bad_input
from services.cli.output import console, print_json
from services.cli.state import running
from services.runtime import configuration
from services.runtime.settings import STANDARD_POLICY


def check(file: Path, /, *, json: bool = False) -> None:
    """Check a policy pack; what is wrong is told with file, line and key.

    Parameters
    ----------
    file
        The pack, a TOML file.
    json
        Print one JSON document.
    """
    policy = _loaded(file)
    if json:
        print_json({"ok": True, "name": policy.name, "version": policy.version})
    else:
        console().print(f"{file}: policy {policy.name} {policy.version} is right")


def show(file: Path | None = None, /, *, json: bool = False, where: Where = HERE) -> None:
    """Show a policy pack with every default filled in: the given one, else the one that is in force.

    Parameters
    ----------
    file
        The pack, a TOML file.
    json
        Print one JSON document.
    """
    state = running(where.data_dir)
    named = configuration.ENVIRONMENT.get("CASELOOP_POLICY") or (state.policy if state else None)
    path = file or (Path(named) if named else STANDARD_POLICY)
    content = _loaded(path).model_dump(mode="json")
    if json:
        print_json(content)
        return
    out = console()
    out.print(f"[dim]# {path}[/]")
    for line in _lines(content):
        out.print(line, markup=False)


def _loaded(path: Path) -> Policy:
    try:
        return load_policy(path)
    except PolicyError as problem:
        raise bad_input(str(problem)) from None


def _lines(value: object, name: str = "") -> list[str]:
    """Return one line for each value, with its whole key."""
    if isinstance(value, dict) and value:
        return [line for key, part in value.items() for line in _lines(part, f"{name}.{key}" if name else str(key))]
    if isinstance(value, list) and any(isinstance(part, dict) for part in value):
        return [line for place, part in enumerate(value) for line in _lines(part, f"{name}[{place}]")]
    return [f"{name} = {value!r}"]

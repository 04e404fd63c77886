"""How does an engineer get the two servers by hand? ``python -m deploy.local [up|prepare|lock] [FOLDER]``.

``up`` starts both, prints their addresses as one JSON line and stays until Ctrl-C or SIGTERM; ``prepare`` fetches and
prepares what the first start would; ``lock`` resolves the broker's jars anew and writes ``kafka.lock``.
"""

import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from deploy.local.broker import installation
from deploy.local.errors import LocalServerError
from deploy.local.jars import write_lock
from deploy.local.pair import start_servers

USAGE = 2


def main() -> int:
    """Return the exit status: 0, 1 when a server cannot be had, 2 for a wrong word."""
    command, *folder = sys.argv[1:] or ["up"]
    try:
        match command:
            case "up":
                up(Path(folder[0]) if folder else None)
            case "prepare":
                installation(_tell)
            case "lock":
                write_lock()
            case _:
                _tell(__doc__ or "")
                return USAGE
    except LocalServerError as error:
        _tell(f"error: {error}")
        return 1
    return 0


def up(folder: Path | None) -> None:
    """Run both servers until a signal; without a folder their data goes when they go."""
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with (
        tempfile.TemporaryDirectory(prefix="caseloop-", ignore_cleanup_errors=True) as scratch,
        start_servers(folder or Path(scratch), tell=_tell) as servers,
    ):
        if servers.postgres is not None and servers.kafka is not None:
            addresses = {"postgres": servers.postgres.dsn, "kafka": servers.kafka.bootstrap}
            print(json.dumps(addresses), flush=True)  # noqa: T201 - this tool's output
        signal.sigwait(signals)
        _tell("stopping")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a person reads it


def _exit() -> NoReturn:
    sys.exit(main())


if __name__ == "__main__":
    _exit()

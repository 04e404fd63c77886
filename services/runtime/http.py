"""Is this process alive, is it ready, how fast is it, and where can it be asked?"""

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.runtime import metrics
from services.runtime.errors import StartError

Check = Callable[[], Awaitable[str | None]]
"""Answers with what is wrong, in a few words without secrets, or with None."""
CHECK_SECONDS = 2.0


class _Server(uvicorn.Server):
    """uvicorn without its own ideas about signals: the lifecycle has them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; ``StartError`` says why not."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(where)
            listening.listen(128)
        except OSError:
            listening.close()
            raise
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            line = (
                f"CASELOOP_HTTP_PORT: port {port} on {host} is in use; set it to another port, or to 0 for a free one"
            )
        else:
            line = (
                f"CASELOOP_HTTP_HOST: cannot listen on {host} port {port}: {problem.strerror}; set it to an own address"
            )
        raise StartError(line) from None
    listening.setblocking(False)
    return listening


def announce(path: Path | None, service: str, port: int) -> None:
    """Leave service, pid and port in a file, whole or not at all, for whoever started this process."""
    if path is None:
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(orjson.dumps({"service": service, "pid": os.getpid(), "port": port}))
        draft.replace(path)
    except OSError as problem:
        line = (
            f"CASELOOP_ANNOUNCE_FILE: cannot write {path}: {problem.strerror}; set it to a path in a writable directory"
        )
        raise StartError(line) from None


def application(
    checks: Mapping[str, Check], warnings: Mapping[str, Check], routes: Sequence[BaseRoute] = ()
) -> Starlette:
    """Return the pages that every service has, and its own."""

    async def live(_request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(_request: Request) -> Response:
        wrong, strange = await asyncio.gather(_problems(checks), _problems(warnings))
        answers = {name: problem or "ok" for name, problem in wrong.items()}
        warned = {name: warning for name, warning in strange.items() if warning}
        good = not any(wrong.values())
        content = {"ready": good, "checks": answers, "warnings": warned}
        return JSONResponse(content, status_code=200 if good else 503)

    async def measured(_request: Request) -> Response:
        return Response(generate_latest(metrics.REGISTRY), media_type=CONTENT_TYPE_LATEST)

    own = [Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", measured)]
    return Starlette(routes=[*own, *routes])


async def _problems(checks: Mapping[str, Check]) -> dict[str, str | None]:
    answers = await asyncio.gather(*(_answer(check) for check in checks.values()))
    return dict(zip(checks, answers, strict=True))


async def _answer(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"


async def serve(app: Starlette, listening: socket.socket, stopping: asyncio.Event) -> None:
    """Answer until told to stop."""
    config = uvicorn.Config(
        app,
        http="httptools",
        interface="asgi3",
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    server = _Server(config)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(server.serve(sockets=[listening]), name="uvicorn")
        await stopping.wait()
        server.should_exit = True
        await running

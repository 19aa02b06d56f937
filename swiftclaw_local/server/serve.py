"""Runs a platform and its API in this process, from the first check to the orderly end.

A first SIGTERM or SIGINT stops in order: nothing new is taken, attempts in flight end and are recorded. A second one
ends the process at once; what was in flight is then found, and logged as interrupted, at the next start.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from swiftclaw_local.errors import SetupError
from swiftclaw_local.logs import set_up_logs
from swiftclaw_local.platform import Platform
from swiftclaw_local.scheduler.clock import Clock, text
from swiftclaw_local.server.app import make_app
from swiftclaw_local.server.explanation import span_text
from swiftclaw_local.server.guard import is_loopback
from swiftclaw_local.server.ports import bind
from swiftclaw_local.server.tokens import read_tokens
from swiftclaw_local.settings import DatabaseUrl, Settings
from swiftclaw_local.storage.records import Opened

# How long requests under way may take to end when the server stops; a longer wait of a client is cut off.
GRACE_S: Final = 0.5
KEEPALIVE_S: Final = 75.0
# Bytes of a request's first line: what the document allows in a query, six texts of 200 characters with %XX for each byte.
LONGEST_LINE: Final = 32 * 1024
_WILDCARDS: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class Started:
    """What a person wants to know of a server that has just started; `db` is None when everything is in memory."""

    url: str | None  # None: a worker, which serves no API
    db: Path | DatabaseUrl | None
    durability: str
    opened: Opened
    clock: str


def run(settings: Settings, *, started: Callable[[Started], None], until_eof: bool = False) -> None:
    """Serve until a signal comes, or with `until_eof` the standard input ends; `started` is called once everything answers.

    Raises: SetupError of one kind or another, as PortInUse, DatabaseInUse; then nothing runs.
    """
    set_up_logs(style=settings.log_format, level=settings.log_level)
    check_address(settings)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, started, until_eof=until_eof))


def check_address(settings: Settings) -> None:
    """Check that nobody from outside gets in without a token. Raises: SetupError."""
    if settings.token_file is not None:
        read_tokens(settings.token_file)
    elif not is_loopback(settings.host):
        raise SetupError(
            f"Listening on {settings.host} lets others in, who could read secrets and make this machine send requests.",
            hint="Give them tokens: --token-file FILE (one token a line). Or leave --host out for 127.0.0.1.",
        )


async def _serve(settings: Settings, started: Callable[[Started], None], *, until_eof: bool) -> None:
    stop = _stop_on_signals()
    if until_eof:
        _stop_at_eof(stop)
    async with AsyncExitStack() as stack:
        sockets = [] if settings.worker_only else _bound(settings, stack)
        platform = await stack.enter_async_context(_running(settings, sockets))
        url = None
        if not settings.worker_only:
            await stack.enter_async_context(_answering(platform, sockets))
            url = _url(settings.host, sockets)
            stack.enter_context(_server_file(settings, url))
        started(_started(platform, url))
        # What the start has made lives as long as the process: looking through it at every collection of garbage cost a
        # tenth of each delivery. And what is under way lives for a while: looking for garbage among it every 700 objects,
        # which are some 30 deliveries, cost 3 us of each.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)
        gc.enable()  # the command turned it off
        await stop.wait()


def _bound(settings: Settings, stack: AsyncExitStack) -> list[socket.socket]:
    sockets = bind(settings.host, settings.port, db=None if settings.ephemeral else settings.file)
    for each in sockets:
        stack.callback(each.close)
    return sockets


def _stop_on_signals() -> asyncio.Event:
    """Return an event that the first signal sets; the second ends the process."""
    asked = asyncio.Event()

    def stop(number: int) -> None:
        if asked.is_set():
            os._exit(128 + number)
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    return asked


def _stop_at_eof(asked: asyncio.Event) -> None:
    """Set the event when the standard input ends: whoever started this process with a pipe has closed it, or is gone."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        with suppress(OSError):
            while os.read(0, 4096):
                pass
        with suppress(RuntimeError):  # a signal was faster, and the loop is closed
            loop.call_soon_threadsafe(asked.set)

    # a thread, because an event loop cannot wait for a file or /dev/null
    threading.Thread(target=read, daemon=True).start()


@asynccontextmanager
async def _running(settings: Settings, sockets: list[socket.socket]) -> AsyncIterator[Platform]:
    platform = await Platform.open(settings)
    platform.addresses.own([bound.getsockname()[:2] for bound in sockets])
    await platform.start()
    try:
        yield platform
    finally:
        await platform.stop()


@asynccontextmanager
async def _answering(platform: Platform, sockets: list[socket.socket]) -> AsyncIterator[None]:
    runner = web.AppRunner(
        make_app(platform),
        access_log=None,
        logger=_logger(),
        auto_decompress=False,
        keepalive_timeout=KEEPALIVE_S,
        max_line_size=LONGEST_LINE,
        shutdown_timeout=GRACE_S,
    )
    await runner.setup()
    try:
        for bound in sockets:
            await web.SockSite(runner, bound).start()
        yield
    finally:
        await runner.cleanup()


def _logger() -> logging.Logger:
    """Return aiohttp's logger without what cannot be read as HTTP: that is answered with 400, and is no defect of ours."""
    logger = logging.Logger("swiftclaw_local.server")
    logger.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
    return logger


@contextmanager
def _server_file(settings: Settings, url: str) -> Iterator[None]:
    """Leave a note beside the database, by which the commands find the server; none when everything is in memory."""
    if settings.ephemeral:
        yield
        return
    path = settings.data_folder / "server.json"
    note = {"url": url, "pid": os.getpid(), "db": settings.database_shown}
    fresh = path.with_suffix(".json.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(note, file)
    fresh.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _started(platform: Platform, url: str | None) -> Started:
    settings = platform.settings
    return Started(
        url=url,
        db=None if settings.ephemeral else settings.db,
        durability=settings.kept,
        opened=platform.opened,
        clock=clock_text(platform.clock),
    )


def clock_text(clock: Clock) -> str:
    """Return how the clock stands, for people."""
    if clock.mode == "manual":
        return f"manual, at {text(clock.now())}; retries run only when you advance it: swiftclaw clock advance 6m"
    if clock.mode == "fast":
        return f"{clock.rate:g} times as fast as real time, at {text(clock.now())}"
    ahead = clock.lead()
    return "real time" if ahead.total_seconds() < 1 else f"real time, {span_text(ahead)} ahead"


def _url(host: str, sockets: list[socket.socket]) -> str:
    address, port = sockets[0].getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address) if host in _WILDCARDS else host  # noqa: S104
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - does not exist for Windows
    except ImportError:
        return None
    return uvloop.new_event_loop

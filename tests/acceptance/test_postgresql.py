"""Several dispatchers on one real PostgreSQL: any may be killed, the database may go away, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.running import PageReceiver, RunningServer, environment, receiving, serving
from tests.postgres_server import PostgresServer, running_server

SECRET = "scsec_mine"
PASSWORD = "hunter2"
FLAGS = ("--secret", SECRET, "--send-timeout", "1s", "--retry-schedule", "1s,1s")


class Base:
    """A database of its own, and SQL on it."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        self.plain = server.url(name)
        self.url = self.plain.replace(
            "swiftclaw@", f"swiftclaw:{PASSWORD}@"
        )  # trusted; the password is for looking for

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.plain) as connection:
            return connection.execute(sql.encode()).fetchall()


@pytest.fixture
def base(postgres: PostgresServer, tmp_path: Path) -> Base:
    return Base(postgres, f"base_{os.getpid()}_{abs(hash(tmp_path)) % 10**9}")


@contextmanager
def worker(folder: Path, base: Base, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """Run `serve --worker-only` until the block ends; it has delivered nothing before its banner is out."""
    with (folder / "worker.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "swiftclaw_local", "serve", "--worker-only", "--db", base.url, *FLAGS, *flags],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    banner = []
    for line in process.stdout:
        banner.append(line)
        if line.startswith("Delivering"):
            break
    (folder / "worker.banner").write_text("".join(banner))
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()


def emit(server: RunningServer, number: int) -> int:
    """Emit one event; return the status."""
    body = {"type": "agent.failed", "id": f"evt_{number:05}", "data": {"n": number}}
    return server.api("POST", "/v1/agents/my-agent/events", body)[0]


def delivered(base: Base, *, timeout_s: float) -> float:
    """Wait until nothing is owed any more; return how long it took (seconds)."""
    start = time.monotonic()
    while True:
        states = dict(base.rows("SELECT state, count(*) FROM delivery GROUP BY state"))
        if set(states) <= {"succeeded"}:
            return time.monotonic() - start
        assert time.monotonic() - start < timeout_s, states
        time.sleep(0.05)


def doubled(base: Base, receiver: PageReceiver) -> int:
    """Return how many requests came more than once for an event, beyond the attempts that were interrupted or superseded."""
    arrived = Counter(request.event_id for request in receiver.received)
    ((known,),) = base.rows("SELECT count(*) FROM attempt WHERE outcome IN ('interrupted', 'superseded')")
    return max(0, sum(arrived.values()) - len(arrived) - int(known))


def test_a_dispatcher_killed_among_two_loses_nothing(tmp_path: Path, base: Base) -> None:
    with (
        receiving(SECRET, 200, delay_s=0.05) as receiver,
        serving(tmp_path, "--db", base.url, *FLAGS) as server,
        worker(tmp_path, base) as first,
        worker(tmp_path, base),
    ):
        server.api("POST", "/v1/agents/my-agent/webhooks", {"url": receiver.url})
        with ThreadPoolExecutor(4) as pool:
            statuses = list(pool.map(lambda number: emit(server, number), range(150)))
            first.send_signal(signal.SIGKILL)
            statuses += list(pool.map(lambda number: emit(server, number), range(150, 300)))
            server.process.send_signal(signal.SIGKILL)
        took = delivered(base, timeout_s=20)
    print(f"all delivered {took:.1f} s after two of three dispatchers were killed")
    assert set(statuses) == {202}
    assert {request.event_id for request in receiver.received} == {f"evt_{number:05}" for number in range(300)}
    assert doubled(base, receiver) == 0


def test_without_a_fault_each_event_comes_once_however_many_dispatch(tmp_path: Path, base: Base) -> None:
    with (
        receiving(SECRET, 200, delay_s=0.02) as receiver,
        serving(tmp_path, "--db", base.url, *FLAGS) as server,
        worker(tmp_path, base),
        worker(tmp_path, base),
    ):
        server.api("POST", "/v1/agents/my-agent/webhooks", {"url": receiver.url})
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: emit(server, number), range(400)))
        delivered(base, timeout_s=20)
    assert len(receiver.received) == 400
    assert base.rows("SELECT outcome, count(*) FROM attempt GROUP BY outcome") == [("succeeded", 400)]


def test_a_database_that_goes_away_is_answered_with_503_and_work_goes_on_by_itself(tmp_path: Path) -> None:
    with running_server() as postgres, receiving(SECRET, 200) as receiver:
        base = Base(postgres, "base")
        with serving(tmp_path, "--db", base.url, *FLAGS) as server:
            server.api("POST", "/v1/agents/my-agent/webhooks", {"url": receiver.url})
            statuses = [emit(server, number) for number in range(20)]
            postgres.stop(signal.SIGQUIT)
            away = [emit(server, number) for number in range(20, 30)]
            postgres.start()
            back = time.monotonic()
            while emit(server, 30) == 503:
                assert time.monotonic() - back < 5
                time.sleep(0.05)
            delivered(base, timeout_s=10)
            took = time.monotonic() - back
            assert server.process.poll() is None
        known = {row[0] for row in base.rows("SELECT id FROM event")}
    print(f"everything delivered {took:.1f} s after the database was back")
    assert (set(statuses), set(away)) == ({202}, {503})
    assert {f"evt_{number:05}" for number in [*range(20), 30]} <= known
    assert took < 10


def test_a_worker_says_that_it_serves_no_api_and_nobody_shows_the_password(tmp_path: Path, base: Base) -> None:
    with serving(tmp_path, "--db", base.url, *FLAGS) as server, worker(tmp_path, base):
        status = server.api("GET", "/_local/status")[1]
        with urllib.request.urlopen(f"{server.url}/metrics") as answer:  # noqa: S310 - our own server's address
            metrics = answer.read().decode()
        shown = server.command("status").stdout + server.command("doctor").stdout
        note = (tmp_path / ".swiftclaw" / "server.json").read_text()
    banner = (tmp_path / "worker.banner").read_text()
    logs = (tmp_path / "server.log").read_text() + (tmp_path / "worker.log").read_text()
    assert "none: a worker, it only delivers" in banner
    assert (status["durability"], status["data"].split("/base")[0].rpartition(":")[0]) == (
        "server",
        "postgresql://swiftclaw:***@127.0.0.1",
    )
    assert shown.count("postgresql://swiftclaw:***@127.0.0.1") == 2
    assert PASSWORD not in f"{shown}{banner}{server.banner}{logs}{status}{metrics}{note}"


def test_a_virtual_clock_is_refused_beside_other_dispatchers(tmp_path: Path, base: Base) -> None:
    refusals = {
        ("--worker-only", "--clock", "manual"): (2, "A worker runs on real time"),
        ("--clock", "x60"): (5, "Other dispatchers run on this database"),
    }
    with serving(tmp_path, "--db", base.url, *FLAGS) as server:
        for flags, (code, said) in refusals.items():
            refused = serve_once(tmp_path, "--db", base.url, *flags)
            assert (refused.returncode, refused.stderr.count(said)) == (code, 1)
        assert server.api("POST", "/_local/clock", {"mode": "manual"})[0] == 200  # it is alone again
        refused = serve_once(tmp_path, "--db", base.url, "--clock", "real")
        assert (refused.returncode, "with a manual or fast clock" in refused.stderr) == (5, True)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--worker-only",), "A worker needs a database that many can share"),
        (("--db", f"postgresql://u:{PASSWORD}@127.0.0.1:1/none"), "postgresql://u:***@127.0.0.1:1/none"),
        (("--db", f"mysql://u:{PASSWORD}@127.0.0.1/none"), "write a file name, or postgresql://"),
        (("--db", f"postgresql://u:{PASSWORD}@[bad/none"), "not a URL"),
        (("--ephemeral", "--db", "postgresql://127.0.0.1:1/none"), "contradict each other"),
    ],
)
def test_what_cannot_be_is_said_without_the_password(tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    refused = serve_once(tmp_path, *flags)
    assert refused.returncode != 0
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert PASSWORD not in refused.stderr + refused.stdout


def serve_once(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run `serve`, which is expected to refuse."""
    return subprocess.run(
        [sys.executable, "-m", "swiftclaw_local", "serve", "--port", "0", *flags],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

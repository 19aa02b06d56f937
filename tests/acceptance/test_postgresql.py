"""What people see of several dispatchers on one real PostgreSQL. That nothing is lost: `tests/crash`."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.running import environment, serving
from tests.postgres_server import PostgresServer

SECRET = "scsec_mine"
PASSWORD = "hunter2"
FLAGS = ("--secret", SECRET, "--send-timeout", "1s", "--retry-schedule", "1s,1s")


class Base:
    """A database of its own, by a URL with a password."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        # trusted; the password is for looking for
        self.url = server.url(name).replace("swiftclaw@", f"swiftclaw:{PASSWORD}@")


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

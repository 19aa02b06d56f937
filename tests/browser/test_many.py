"""100,000 deliveries in the log change nothing: how long each page takes, and an event is on screen as soon."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from swiftclaw_local.storage.tables import METADATA
from tests.acceptance.running import PageReceiver, RunningServer, serving
from tests.browser.conftest import SECRET
from tests.browser.figures import Figures
from tests.browser.furnished import SEEN, emit, replay
from tests.browser.watching import assert_seen_at_once
from tests.browser.window import OpenWindow

DELIVERIES = 100_000
PAGE_WITHIN_MS = 1_000
# Which share of the log ended how: rows of three deliveries that were really made are copied.
SHARES = {200: 0.9, 400: 0.07, 500: 0.03}
# Copies lie further and further back, all of them in the last hour, which the pages of figures sum up.
_EARLIER = "strftime('%Y-%m-%d %H:%M:%f', {column}, '-' || (n * 0.035) || ' seconds') || '000'"
_COPY = """
WITH RECURSIVE number(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM number WHERE n < {last})
INSERT INTO {table} ({names}) SELECT {values} FROM number JOIN {table} AS kept ON kept.{key} = '{id}'"""


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"folder": str(tmp_path_factory.mktemp("many"))}


@pytest.fixture(scope="module")
def server(names: dict[str, str], receiver: PageReceiver) -> Iterator[RunningServer]:
    """A server with a long log, made by copying rows while none runs."""
    folder = Path(names["folder"])
    with serving(folder, "--secret", SECRET) as first:
        server_names = _three(first, receiver)
    _multiply(folder / ".swiftclaw" / "swiftclaw.db", server_names)
    with serving(folder, "--secret", SECRET) as running:
        _, report = running.api("POST", "/_local/certify", {"webhook": "webhook-123", "only": ["SIG-1"]})
        names |= {"webhook_id": "webhook-123", "report_id": report["id"], "delivery_id": server_names[400]}
        names["replay_id"] = replay(running, {"q": server_names[400]})
        yield running


def _three(server: RunningServer, receiver: PageReceiver) -> dict[int, str]:
    server.api("POST", "/v1/agents/my-agent/webhooks", {"url": receiver.url})
    made = {}
    for status in SHARES:
        receiver.answers[:] = [status]
        made[status] = emit(server, "agent.completed")["deliveries"][0]["id"]
        if status == 500:
            server.api("POST", f"/v1/deliveries/{made[status]}/cancel")
    receiver.answers[:] = [200]
    return made


def _multiply(db: Path, made: dict[int, str]) -> None:
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        first = 1
        for status, share in SHARES.items():
            last = first + round(DELIVERIES * share) - 1
            (event,) = connection.execute("SELECT event_id FROM delivery WHERE id = ?", (made[status],)).fetchone()
            (attempt,) = connection.execute("SELECT id FROM attempt WHERE delivery_id = ?", (made[status],)).fetchone()
            for table, id in (("event", event), ("delivery", made[status]), ("attempt", attempt)):
                connection.execute(_copies(table, id, first=first, last=last))
            first = last + 1
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
        assert connection.execute("SELECT count(*) FROM delivery").fetchone() == (DELIVERIES + len(SHARES),)


def _copies(table: str, id: str, *, first: int, last: int) -> str:
    columns = {column.name: column for column in METADATA.tables[table].columns if column.name != "seq"}
    given = {"id": f"'{id[:4]}0' || printf('%025d', n)"}
    if table != "event":
        given["event_id"] = "'evt_0' || printf('%025d', n)"
    if table == "attempt":
        given |= {"delivery_id": "'dlv_0' || printf('%025d', n)", "duration_ms": "n % 97"}
    given |= {name: _EARLIER.format(column=f"kept.{name}") for name in columns if name.endswith("_at")}
    values = [given.get(name, f"kept.{name}") for name in columns]
    return _COPY.format(
        first=first, last=last, table=table, names=", ".join(columns), values=", ".join(values), key="id", id=id
    )


@pytest.mark.parametrize("path", [*SEEN, "/deliveries?state=failed", "/deliveries?group=cause", "/deliveries?q=evt_0"])
def test_a_page_is_there_at_once(
    window: OpenWindow, server: RunningServer, names: dict[str, str], path: str, figures: Figures
) -> None:
    page = window("/help")
    times = []
    for _ in range(3):
        page.goto(path.format(**names), wait_until="domcontentloaded")
        times.append(
            page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
            or PAGE_WITHIN_MS * 9
        )
    figures.most(
        f"{path} with {DELIVERIES:,} deliveries, median of 3", sorted(times)[1], unit="ms", limit=PAGE_WITHIN_MS
    )
    assert sorted(times)[1] <= PAGE_WITHIN_MS


def test_an_event_is_on_screen_as_soon(
    window: OpenWindow, server: RunningServer, figures: Figures, names: dict[str, str]
) -> None:
    what = f"emit to row on screen with {DELIVERIES:,} deliveries"
    assert_seen_at_once(window("/"), server, "my-agent", figures, what=what)

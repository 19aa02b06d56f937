"""An upgrade of the tables that is killed at random moments: the database is of the old version or of the new, never between."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, Final

from swiftclaw_local.storage.migrate import revision_of
from swiftclaw_local.storage.tables import METADATA, SCHEMA_VERSION
from tests.acceptance.running import RunningServer
from tests.crash.databases import Database
from tests.crash.dispatchers import FLAGS, launch
from tests.crash.judge import Figures
from tests.crash.load import AGENT

_ROWS: Final = 100_000
_SHIPPED: Final = Path(__file__).parents[2] / "swiftclaw_local" / "storage" / "migrations"
_OLD, _NEW = revision_of(SCHEMA_VERSION), revision_of(SCHEMA_VERSION + 1)
# A step of the kind that takes long: every row is written, and on SQLite the whole table is made anew. It says when it
# began; so many seconds later, when asked to, the process dies: in the transaction, in its COMMIT, or just after. Or it
# dies when all is done but to write the new version down: that finds a script that commits, wherever it does.
_NEXT: Final = f"""
import os, pathlib, signal, threading, time
from alembic import op
import sqlalchemy as sa

revision = "{_NEW}"
down_revision = "{_OLD}"

def upgrade() -> None:
    pathlib.Path(os.environ["CRASH_BEGAN"]).write_text(str(time.time()))
    after = os.environ.get("CRASH_AFTER", "")
    if after not in ("", "all"):
        threading.Timer(float(after), os.kill, (os.getpid(), signal.SIGKILL)).start()
    op.add_column("event", sa.Column("colour", sa.String(), nullable=True))
    op.execute("UPDATE event SET colour = 'blue'")
    with op.batch_alter_table("delivery") as batch:
        batch.add_column(sa.Column("weight", sa.Integer(), nullable=True))
    op.execute("UPDATE delivery SET weight = body_size")
    op.create_index("delivery_weight", "delivery", ["weight"])
    if after == "all":
        os.kill(os.getpid(), signal.SIGKILL)
"""  # noqa: S608 - our own words
_HALF_WAY: Final = '    with op.batch_alter_table("delivery")'
_BACK: Final = (
    "DROP INDEX delivery_weight",
    "ALTER TABLE delivery DROP COLUMN weight",
    "ALTER TABLE event DROP COLUMN colour",
    f"UPDATE alembic_version SET version_num = '{_OLD}'",  # noqa: S608 - our own words
)
_FULL: Final = "SELECT (SELECT count(*) FROM event WHERE colour = 'blue'), (SELECT count(*) FROM delivery WHERE weight = body_size)"
_MULTIPLY: Final = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {times})
INSERT INTO {table} ({names}) SELECT {values} FROM {table}, numbers
"""
_COLUMNS: Final = "SELECT attname FROM pg_attribute WHERE attrelid = '{}'::regclass"
_COUNT: Final = "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM delivery)"


def migrated(folder: Path, database: Database, *, rounds: int, seed: int, rows: int = _ROWS) -> Figures:
    """Kill the upgrade of a database of 100,000 rows, again and again: it opens again each time, and is whole."""
    random = Random(seed)
    upgrade = _Upgrade(folder, database, _with_next(folder, _NEXT))
    upgrade.fill(rows)
    took_s = upgrade.whole()
    found: Counter[str] = Counter()
    for number in range(rounds):
        upgrade.back()
        if number % 3 == 0:
            upgrade.killed_inside("all")
        elif number % 3 == 1:
            upgrade.killed_inside(f"{random.uniform(0.0, took_s):.3f}")
        else:
            upgrade.killed_outside(after_s=random.uniform(0.3, 1.0) + random.uniform(0.0, took_s))
        found += upgrade.state()
    upgrade.back()
    upgrade.whole()
    found += upgrade.state()
    wrong = {name: found[name] for name in ("between two versions", "rows lost", "does not open again")}
    wrong |= {"not upgraded in the end": int(upgrade.version() != _NEW), "damaged": int(database.damaged())}
    happened = {
        "rows": rows,
        "kills": rounds,
        "found old": found["found old"],
        "found new": found["found new"] - 1,
        "ms for the upgrade": round(took_s * 1000),
    }
    return wrong, Counter(happened)


def committed_half_way(folder: Path, database: Database, *, rounds: int, seed: int, rows: int = 12) -> Figures:
    """Do the same with a script that commits half way: if nothing is found between two versions, the figures prove nothing."""
    upgrade = _Upgrade(
        folder, database, _with_next(folder, _NEXT.replace(_HALF_WAY, f'    op.execute("COMMIT")\n{_HALF_WAY}'))
    )
    upgrade.fill(rows)
    upgrade.killed_inside("all")
    found = upgrade.state()
    return {"not noticed": int(not found["between two versions"])}, found + Counter({"rows": rows, "kills": 1})


def _with_next(folder: Path, script: str) -> Path:
    """Return a folder of the shipped migrations and one more."""
    scripts = folder / "next" / "migrations"
    shutil.copytree(_SHIPPED, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / f"{_NEW}_next.py").write_text(script)
    return scripts


class _Upgrade:
    """One database, taken to the next version and back."""

    def __init__(self, folder: Path, database: Database, scripts: Path) -> None:
        self._folder = folder
        self._database = database
        self._scripts = str(scripts)
        self._began = folder / "began"
        self._counts: list[tuple[Any, ...]] = []

    def fill(self, rows: int) -> None:
        """Make a database of the present version with so many rows, half of them events, half deliveries."""
        server = self._serve()
        server.api("POST", f"/v1/agents/{AGENT}/webhooks", {"url": "http://127.0.0.1:9/"})
        server.api("POST", f"/v1/agents/{AGENT}/events", {"type": "agent.failed", "id": "evt_0"})
        assert server.stop() == 0
        ended = "state = 'succeeded', ended_at = due_at, attempts = 0"
        self._database.change(f"UPDATE delivery SET {ended}")  # noqa: S608 - the text above
        for table, key in (
            ("event", {"id": "'evt_' || n"}),
            ("delivery", {"id": "'dlv_' || n", "event_id": "'evt_' || n"}),
        ):
            self._database.change(_multiplied(table, key, rows // 2 - 1))
        self._counts = self._database.rows(_COUNT)
        assert self._counts == [(rows // 2, rows // 2)]

    def whole(self) -> float:
        """Upgrade undisturbed; return how long it took from the beginning of the script until the server answered (seconds)."""
        server = self._upgrade()
        took_s = time.time() - float(self._began.read_text())
        assert server.stop() == 0
        return took_s

    def back(self) -> None:
        """Take a database of the next version back to the present one."""
        if self.version() == _NEW:
            for statement in _BACK:
                self._database.change(statement)

    def killed_inside(self, after: str) -> None:
        """Upgrade and die so many seconds after the script began, or after `all` of it."""
        self._upgrade(after=after).stop(9)

    def killed_outside(self, *, after_s: float) -> None:
        """Start an upgrade and kill it so long after the process began."""
        server = self._upgrade(wait=False)
        time.sleep(after_s)
        server.stop(9)

    def version(self) -> str:
        """Return the version that the tables say they have."""
        ((version,),) = self._database.rows("SELECT version_num FROM alembic_version")
        return str(version)

    def state(self) -> Counter[str]:
        """Return in what state the database is, and whether it opens."""
        version = self.version()
        columns = self._columns("event") & {"colour"} | self._columns("delivery") & {"weight"}
        whole = columns == ({"colour", "weight"} if version == _NEW else set())
        full = version == _OLD or (whole and self._database.rows(_FULL) == self._counts)
        server = self._upgrade() if version == _NEW else self._serve()
        status = server.api("GET", "/readyz")[0] if server.url else 0
        server.stop()
        return Counter(
            {
                "found old": int(version == _OLD),
                "found new": int(version == _NEW),
                "between two versions": int(not whole or not full),
                "rows lost": int(self._database.rows(_COUNT) != self._counts),
                "does not open again": int(status != 200),
            }
        )

    def _columns(self, table: str) -> set[str]:
        column, ask = (0, _COLUMNS) if self._database.shared else (1, "PRAGMA table_info({})")
        return {row[column] for row in self._database.rows(ask.format(table))}

    def _serve(self) -> RunningServer:
        return launch(self._folder, "serving.log", *self._flags)

    def _upgrade(self, *, wait: bool = True, **hooks: str) -> RunningServer:
        """Start the code of the next version."""
        hooks |= {"scripts": self._scripts, "began": str(self._began)}
        return launch(self._folder, "upgrading.log", *self._flags, hooks=hooks, wait=wait)

    @property
    def _flags(self) -> tuple[str, ...]:
        return ("--port", "0", *FLAGS, *self._database.flags)


def _multiplied(table: str, changed: dict[str, str], times: int) -> str:
    """Return SQL that copies the one row of a table, with these columns changed; `n` counts the copies."""
    names = [column.name for column in METADATA.tables[table].columns if column.name != "seq"]
    values = [changed.get(name, name) for name in names]
    return _MULTIPLY.format(times=times, table=table, names=", ".join(names), values=", ".join(values))

"""People who edit, disable, delete, rotate and replay fifty times a second while events are delivered."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

from tests.crash.databases import Database, unix
from tests.crash.dispatchers import Dispatchers, dispatching
from tests.crash.judge import Figures, judged, settle
from tests.crash.load import AGENT, loaded
from tests.crash.receiver import Receiver, receiving

_A_SECOND: Final = 50
# Enough to keep the pace where a change waits until other dispatchers have let go of the webhook, for a tenth of a second;
# and a webhook for each of them.
_PEOPLE: Final = 10
_WEBHOOKS: Final = 12
# Each event goes to all of them.
_PAUSE_S: Final = 0.05
# What was written to the socket before the answer may be read by the receiver a little after it.
_UNDERWAY_S: Final = 0.25
_STARTED: Final = "SELECT url, max(started_at) FROM attempt GROUP BY url"
_WEIGHTS: Final = {"edit": 5, "disable": 4, "enable": 5, "delete": 2, "rotate": 3, "replay": 6}
# Refusals that are answers: it was deleted or moved meanwhile, or is still under way.
_REFUSED: Final = (404, 409, 410)


@dataclass(slots=True)
class _People:
    """What all of them know: the webhooks there are by id, and when which paths of the receiver were given up."""

    dispatchers: Dispatchers
    receiver: Receiver
    random: Random
    paths: dict[str, str] = field(default_factory=dict)
    deleted: dict[str, float] = field(default_factory=dict)
    edited: dict[str, float] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    unexpected: list[tuple[str, int, Any]] = field(default_factory=list)
    acts: int = 0
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def path(self) -> str:
        """Return a path of the receiver that no webhook had before."""
        with self._lock:
            self._number += 1
            return f"/{self._number:05}"

    def create(self) -> None:
        """Register a webhook under a path of its own."""
        path = self.path()
        made = self._ask("create", "POST", f"/v1/agents/{AGENT}/webhooks", {"url": f"{self.receiver.url}{path}"})
        if made is not None:
            self.paths[made["id"]] = path

    def act(self) -> None:
        """Do one thing to one webhook, that nobody else is at."""
        with self._lock:
            what = self.random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
            webhook_id = self.random.choice(list(self.paths)) if self.paths else None
            path = self.paths.pop(webhook_id) if webhook_id else ""
            self.acts += webhook_id is not None
        if webhook_id is None:
            return
        kept = getattr(self, f"_{what}")(f"/v1/agents/{AGENT}/webhooks/{webhook_id}", path)
        if kept is not None:
            self.paths[webhook_id] = kept

    def _edit(self, at: str, path: str) -> str:
        fresh = self.path()
        if self._ask("edit", "PATCH", at, {"url": f"{self.receiver.url}{fresh}"}) is None:
            return path
        self.edited[path] = time.time()
        return fresh

    def _disable(self, at: str, path: str) -> str:
        self._ask("disable", "PATCH", at, {"enabled": False})
        return path

    def _enable(self, at: str, path: str) -> str:
        self._ask("enable", "PATCH", at, {"enabled": True})
        return path

    def _delete(self, at: str, path: str) -> str | None:
        if self._ask("delete", "DELETE", at) is None:
            return path
        self.deleted[path] = time.time()
        self.create()
        return None

    def _rotate(self, at: str, path: str) -> str:
        secret = f"scsec_{self.random.getrandbits(64):016x}"
        self.receiver.secrets.add(secret)
        self._ask("rotate", "POST", f"{at}/secret/rotate", {"secret": secret})
        return path

    def _replay(self, at: str, path: str) -> str:
        page = self._ask("look", "GET", f"{at}/deliveries?limit=20")
        ended = [row["id"] for row in page["data"] if row["state"] in ("delivered", "failed")] if page else []
        if ended:
            self._ask("replay", "POST", f"/v1/deliveries/{self.random.choice(ended)}/replay", {})
        return path

    def _ask(self, what: str, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.dispatchers.server.api(method, path, body)
        with self._lock:
            self.statuses[status] += 1
            self.done[what] += status < 300
        if status >= 300 and status not in _REFUSED:
            self.unexpected.append((what, status, answer))
        return answer if status < 300 else None


def edited(folder: Path, database: Database, *, rounds: int, seed: int) -> Figures:
    """Change webhooks 50 times a second under load, for so many seconds."""
    with receiving(seed=seed) as receiver, dispatching(folder, database) as dispatchers:
        people = _People(dispatchers, receiver, Random(seed))
        for _ in range(_WEBHOOKS):
            people.create()
        with loaded(dispatchers, pause_s=_PAUSE_S) as load:
            began = time.monotonic()
            _act_for(people, rounds)
            took = time.monotonic() - began
        for webhook_id in list(people.paths):
            dispatchers.server.api("PATCH", f"/v1/agents/{AGENT}/webhooks/{webhook_id}", {"enabled": True})
        settle(database)
        codes = dispatchers.stop_all()
        wrong, happened = judged(database, receiver, load)
    for name in _NOT_HERE:
        wrong.pop(name, None)
        happened.pop(name, None)
    wrong |= _sent_after(database, people)
    wrong |= {
        "answers of 5xx": sum(count for status, count in people.statuses.items() if status >= 500),
        "unexpected answers": len(people.unexpected),
        "exit codes other than 0": sum(code != 0 for code in codes),
    }
    done = Counter({f"{what}s": count for what, count in people.done.items()})
    return wrong, happened + done + Counter({"things done a second": round(people.acts / took)})


# Events have many deliveries here, some of them replays: what the judge says of an event and its delivery does not hold.
_NOT_HERE: Final = ("lost", "doubled", "doubled beyond the interrupted", "mislabelled")


def _act_for(people: _People, seconds: int) -> None:
    """Act at the pace asked for, from several threads."""
    until = time.monotonic() + seconds

    def act() -> None:
        due = time.monotonic()
        while due < until:
            people.act()
            due += _PEOPLE / _A_SECOND
            time.sleep(max(0.0, due - time.monotonic()))

    threads = [threading.Thread(target=act, daemon=True) for _ in range(_PEOPLE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 120)


def _sent_after(database: Database, people: _People) -> dict[str, int]:
    """Return how many URLs got an attempt that began, or a request that came, after the answer that gave them up."""
    began = {urlsplit(url).path[-6:]: unix(at) for url, at in database.rows(_STARTED)}
    came = {
        arrival.path[-6:]: arrival.at - _UNDERWAY_S for arrival in people.receiver.arrivals
    }  # the last of each stays
    return {
        f"{what} after the URL was {how}": sum(last.get(path, 0) > at for path, at in given_up.items())
        for how, given_up in (("deleted", people.deleted), ("edited", people.edited))
        for what, last in (("attempts begun", began), ("requests", came))
    }

"""Replaying many deliveries from the command line: count, ask, begin, and watch until it stands still; ^C pauses it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from time import sleep
from typing import Any, Final

from swiftclaw_local.cli import replay_texts as texts
from swiftclaw_local.cli.app import App
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.delivery_filter import Filter
from swiftclaw_local.cli.flags import said_as
from swiftclaw_local.cli.looking import Json, say, view_of
from swiftclaw_local.cli.pace import Progress, parse_rate
from swiftclaw_local.cli.timeline_texts import answer_start
from swiftclaw_local.errors import NoServer, SwiftclawError
from swiftclaw_local.plain_text import clean

_PATH: Final = "/v1/replays"
_LOOK_S: Final = 0.2
INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class Wish:
    """How a replay is to go, as the options say; None leaves it to the server."""

    rate: str | None
    canary: int | None
    stop_after: int | None
    with_retries: bool
    to: str | None
    order: str

    def document(self) -> Json:
        """Return it as the API takes it. Raises: InvalidInput for a rate that cannot be read."""
        told: Json = {"with_retries": self.with_retries, "order": self.order, "to": self.to}
        told |= {"canary": self.canary, "stop_after": self.stop_after}
        if self.rate is not None:
            told["rate"] = 1 / parse_rate(self.rate)
        return {name: value for name, value in told.items() if value is not None}


def replay_many(app: App, wanted: Filter, ids: list[str], wish: Wish, *, dry_run: bool, yes: bool) -> int:
    """Replay what matches, or these deliveries; return the exit code."""
    asked = wish.document() | ({"deliveries": ids} if ids else {"filter": _document(wanted)})
    with said_as(
        rate="--rate", canary="--canary", stop_after="--stop-after", to="--to", since="--since", until="--until"
    ):
        plan = app.client.post(_PATH, asked | {"dry_run": True}, long=True)
        if dry_run or not plan["total"]:
            return _planned(app, plan, order=wish.order)
        if not yes and not app.confirm(texts.question(plan), instead="--yes"):
            app.output.note("Nothing sent.")
            return 1
        return watch(app, app.client.post(_PATH, asked, long=True))


def resume(app: App, replay_id: str) -> int:
    """Go on with a replay that was paused or stopped, or watch one that runs; return the exit code."""
    path = f"{_PATH}/{in_path(replay_id)}"
    replay = app.client.get(path)
    if replay["state"] in ("paused", "stopped"):
        replay = app.client.post(f"{path}/resume")
    return watch(app, replay)


def watch(app: App, replay: Json) -> int:
    """Show a replay's progress until it stands still; return the exit code."""
    path = f"{_PATH}/{replay['id']}"
    progress = Progress(app.output.err, total=replay["total"], shown=not (app.output.as_json or app.output.quiet))
    told: set[str] = set()
    try:
        while replay["state"] == "running":
            _say_canaries(app, replay, told, progress)
            beside = f"   {texts.progress_text(replay)}      ^C pauses; resume: swiftclaw deliveries replay --resume {replay['id']}"
            progress.at(texts.done_count(replay), beside=beside)
            sleep(_LOOK_S)
            replay = app.client.get(path)
    except KeyboardInterrupt:
        progress.clear()
        _end(app, _paused(app, path))
        return INTERRUPTED
    except NoServer as error:
        progress.clear()
        hint = f"Replay {replay['id']} goes on when the server does. Watch it: swiftclaw deliveries replay --resume {replay['id']}"
        raise NoServer(error.message, hint=hint, extra=error.extra) from None
    progress.clear()
    _say_canaries(app, replay, told, progress)
    _end(app, replay)
    return 1 if texts.failed(replay) else 0


def _planned(app: App, plan: Json, *, order: str) -> int:
    if app.output.as_json:
        app.output.json(plan)
    else:
        say(app, texts.plan_lines(plan, view_of(app), order=order))
    return 0


def _say_canaries(app: App, replay: Json, told: set[str], progress: Progress) -> None:
    if app.output.as_json:
        return
    for item in replay["canaries"] or []:
        if item["verdict"] != "sending" and item["delivery"] not in told:
            told.add(item["delivery"])
            progress.clear()
            say(app, [texts.canary_line(replay, item, view_of(app))])
            app.output.flush()


def _paused(app: App, path: str) -> Json:
    """Pause a replay and return it; as it stands when it was done already."""
    try:
        paused: Json = app.client.post(f"{path}/pause")
    except NoServer:
        raise
    except SwiftclawError:
        paused = app.client.get(path)
    return paused


def _end(app: App, replay: Json) -> None:
    if app.output.as_json:
        return app.output.json(replay)
    say(app, texts.end_lines(replay, view_of(app), answer=clean(_first_answer(app, replay))))
    return None


def _first_answer(app: App, replay: Json) -> str:
    """Return the beginning of the answer that the first one got which still fails."""
    bad = next((item for item in replay["bad"] or [] if item["verdict"] in ("still_failing", "regressed")), None)
    if bad is None or bad["replay"] is None:
        return ""
    try:
        return answer_start(app.client.get(f"/v1/deliveries/{in_path(bad['replay'])}"))
    except SwiftclawError:  # pruned meanwhile: the line is as good without it
        return ""


def _document(wanted: Filter) -> dict[str, Any]:
    return {name: value for name, value in asdict(wanted).items() if value not in (None, False)}

"""`swiftclaw deliveries`: find deliveries, see one with all its sends, wait for it, take it as a curl command.

What is said is made in `delivery_texts` and `timeline_texts`; replaying and canceling is in `repair`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

import click

from swiftclaw_local.cli import completion
from swiftclaw_local.cli import delivery_texts as texts
from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.delivery_filter import Filter, filter_of, filter_options
from swiftclaw_local.cli.diff import changes, diff_line, last_send, pair
from swiftclaw_local.cli.flags import said_as, typed_id
from swiftclaw_local.cli.looking import Hints, Json, delivery_curl, follow, say, view_of
from swiftclaw_local.cli.repair import cancel, replay
from swiftclaw_local.cli.shape import group
from swiftclaw_local.cli.timeline_texts import answer_bytes, attempt_of, exchange, next_commands, timeline
from swiftclaw_local.durations import parse_duration
from swiftclaw_local.errors import InvalidInput, SwiftclawError, WaitTimeout

_PATH: Final = "/v1/deliveries"
_LONGEST_WAIT_S: Final = 60.0  # of one request; longer waits are several
_id = click.argument("delivery_id", metavar="ID", shell_complete=completion.deliveries)


@group("deliveries")
def deliveries() -> None:
    """Find deliveries, see what was sent, send it again."""


deliveries.add_command(replay)
deliveries.add_command(cancel)


@deliveries.command("list")
@filter_options
@click.option("--group", "grouped", type=click.Choice(["cause", "webhook"]), help="Count them by this instead.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="The newest so many.")
@click.option("--follow", is_flag=True, help="Go on until ^C, with those that are new or went on.")
@pass_app
def list_deliveries(
    app: App,
    *,
    grouped: str | None,
    limit: int,
    follow: bool,
    **given: Any,
) -> None:
    """List deliveries, the newest last; or count them by cause or webhook."""
    wanted = filter_of(**given)
    if follow and (grouped is not None or app.output.as_json):
        raise InvalidInput(
            "--follow is a list that goes on.", hint="Leave out --group and --json; or: swiftclaw listen --json"
        )
    with said_as(since="--since", until="--until", q="--search"):
        if grouped is not None:
            return _grouped(app, wanted, by=grouped)
        if follow:
            return _followed(app, wanted, limit=limit)
        return _listed(app, wanted, limit=limit)


@deliveries.command("show")
@_id
@click.option("--send", "number", type=click.IntRange(1), metavar="N", help="One send in full, request and answer.")
@click.option("--headers", is_flag=True, help="The last send in full.")
@click.option("--raw", is_flag=True, help="Only the recorded bytes of the answer's body.")
@pass_app
def show(app: App, delivery_id: str, number: int | None, *, headers: bool, raw: bool) -> None:
    """Show a delivery's timeline. ID may be its end, @last or @last-failed."""
    delivery = _delivery(app, delivery_id)
    if raw:
        app.output.flush()
        app.output.out.buffer.write(answer_bytes(attempt_of(delivery, number)))
        return app.output.flush()
    if app.output.as_json:
        return app.output.json(delivery if number is None else attempt_of(delivery, number))
    view = view_of(app)
    if headers or number is not None:
        return say(app, exchange(delivery, attempt_of(delivery, number), view))
    say(app, timeline(delivery, view))
    Hints(app).say([delivery])
    return app.output.note(next_commands(delivery))


@deliveries.command("wait")
@_id
@click.option(
    "--for", "goal", type=click.Choice(["delivered", "failed", "settled"]), default="settled", show_default=True
)
@click.option("--timeout", default="10s", show_default=True, metavar="TIME", help="How long to wait, in real time.")
@pass_app
def wait(app: App, delivery_id: str, goal: str, timeout: str) -> int:
    """Wait until a delivery ended. Exit 0 as wished, 1 when it ended otherwise, 124 when the time is up."""
    left = parse_duration(timeout, field="--timeout").total_seconds()
    delivery = _settled(app, typed_id(delivery_id), timeout_s=left)
    if app.output.as_json:
        app.output.json(delivery)
    else:
        sends = f"{delivery['sends']} send{'' if delivery['sends'] == 1 else 's'}"
        say(app, [f"{app.output.id(delivery['id'])}  {texts.result_text(delivery)}   after {sends}"])
    return 0 if goal in ("settled", delivery["state"]) else 1


@deliveries.command("curl")
@_id
@pass_app
def curl(app: App, delivery_id: str) -> None:
    """Print a curl command that sends the same bytes with the real signature."""
    delivery = _delivery(app, delivery_id)
    command = delivery_curl(app, delivery)
    return app.output.json({"command": command}) if app.output.as_json else app.output.line(command)


@deliveries.command("diff")
@click.argument("first_id", metavar="A", shell_complete=completion.deliveries)
@click.argument("second_id", metavar="[B]", required=False, shell_complete=completion.deliveries)
@pass_app
def diff(app: App, first_id: str, second_id: str | None) -> None:
    """Say what changed between two sends: of A and its replay, of A's last two sends, or of A and B."""
    first = _delivery(app, first_id)
    sends = pair(app, first) if second_id is None else (last_send(first), last_send(_delivery(app, second_id)))
    if app.output.as_json:
        return app.output.json(changes(*sends))
    return say(app, [diff_line(*sends, view_of(app))])


def _delivery(app: App, delivery_id: str) -> Json:
    found: Json = app.client.get(f"{_PATH}/{in_path(typed_id(delivery_id))}")
    return found


def _listed(app: App, wanted: Filter, *, limit: int) -> None:
    page = app.client.get(_PATH, limit=limit, **asdict(wanted))
    if app.output.as_json:
        return app.output.json(page)
    if not page["data"]:
        first = "No deliveries yet. Send an event: swiftclaw trigger agent.completed"
        return app.output.note("No deliveries match." if wanted.given else first)
    view = view_of(app)
    app.output.table(texts.LIST_COLUMNS, [texts.list_cells(delivery, view) for delivery in reversed(page["data"])])
    if page["next"]:
        app.output.note(f"There are older ones: --limit {min(500, limit * 5)}, or --until")
    return None


def _followed(app: App, wanted: Filter, *, limit: int) -> None:
    """List deliveries, and go on with what is new."""
    for found in follow(lambda: list(app.client.get(_PATH, limit=limit, **asdict(wanted))["data"])):
        view = view_of(app)
        say(app, [texts.log_line(delivery, view) for delivery in found])
        app.output.flush()


def _grouped(app: App, wanted: Filter, *, by: str) -> None:
    listed = app.client.get(_PATH, group=by, **asdict(wanted))
    if app.output.as_json:
        return app.output.json(listed)
    if not listed["data"]:
        return app.output.note("No deliveries match.")
    view = view_of(app)
    if by == "cause":
        app.output.table(texts.CAUSE_COLUMNS, [texts.cause_cells(one, view) for one in listed["data"]])
    else:
        app.output.table(texts.WEBHOOK_COLUMNS, [texts.webhook_cells(one, view) for one in listed["data"]])
    total = sum(one["deliveries"] for one in listed["data"])
    retrying = list(_still_retrying(app, wanted))
    return app.output.line(texts.total_text(total, unresolved=wanted.unresolved, retrying=retrying))


def _still_retrying(app: App, wanted: Filter) -> Iterator[Json]:
    """Yield those of unresolved deliveries that are not given up yet."""
    if wanted.unresolved and not wanted.failed and wanted.state is None:
        yield from app.client.every(_PATH, **{**asdict(wanted), "state": "retrying"})


def _settled(app: App, delivery_id: str, *, timeout_s: float) -> Json:
    """Wait for a delivery's end, in several requests where one cannot wait so long. Raises: WaitTimeout."""
    left = timeout_s
    while True:
        part = min(left, _LONGEST_WAIT_S)
        left -= part
        try:
            found: Json = app.client.get(
                f"{_PATH}/{in_path(delivery_id)}", long=True, wait="settled", timeout=f"{round(part * 1000)}ms"
            )
        except WaitTimeout as error:
            if left <= 0:
                raise WaitTimeout(error.message, hint=_without_api(error), extra=error.extra) from None
            continue
        return found


def _without_api(error: SwiftclawError) -> str | None:
    """Return the hint in the words of the command line."""
    if error.hint and "/_local/clock/advance" in error.hint:
        by = error.hint.rpartition(':"')[2].partition('"')[0]
        return f"The clock is manual: swiftclaw clock advance {by}"
    return error.hint

"""`swiftclaw deliveries replay` and `cancel`: send again what failed, or give up what is scheduled."""

from __future__ import annotations

import json
from time import sleep
from typing import Any, Final

import click

from swiftclaw_local.cli import completion
from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.delivery_filter import Filter, filter_of, filter_options
from swiftclaw_local.cli.delivery_texts import got_through, replay_line, sent_line
from swiftclaw_local.cli.flags import said_as, typed_id
from swiftclaw_local.cli.looking import Hints, Json, event_bytes, say, view_of
from swiftclaw_local.cli.output import counted, json_text
from swiftclaw_local.cli.replays import Wish, replay_many, resume
from swiftclaw_local.cli.shape import command
from swiftclaw_local.errors import DeliveryPending, InvalidInput

_PATH: Final = "/v1/deliveries"
_WAIT: Final = {"wait": "first", "timeout": "60s"}
# The API can wait for a first attempt and for the end, but not for the next attempt.
_LOOK_AGAIN_S: Final = 0.05
_LOOKS: Final = 1200
_ids = click.argument("delivery_ids", metavar="ID...", nargs=-1, required=True, shell_complete=completion.deliveries)


@command("replay")
@click.argument("delivery_ids", metavar="[ID...]", nargs=-1, shell_complete=completion.deliveries)
@filter_options
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option("--rate", metavar="N/s", help="So many a second (default: 10/s); also 30/m.")
@click.option(
    "--canary", type=click.IntRange(0, 1000), metavar="N", help="Send these first; stop if one fails (default: 1)."
)
@click.option("--stop-after", type=click.IntRange(1), metavar="N", help="Stop after so many failures in a row.")
@click.option("--to", metavar="ID|URL", help="Send to this webhook, or to any URL, instead.")
@click.option(
    "--order",
    type=click.Choice(["event", "failed"]),
    default="event",
    show_default=True,
    help="By the events' times, or by the time of the failure.",
)
@click.option("--with-retries", is_flag=True, help="Retry on the schedule (default: one attempt).")
@click.option("--edit", is_flag=True, help="Change the event in $EDITOR, and send it as a new one.")
@click.option("--resume", "replay_id", metavar="RPL", help="Go on with a replay that was paused or stopped.")
@click.option("--now", is_flag=True, help="Of a delivery that is still retrying: bring its next attempt forward.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_app
def replay(
    app: App,
    delivery_ids: tuple[str, ...],
    *,
    dry_run: bool,
    rate: str | None,
    canary: int | None,
    stop_after: int | None,
    to: str | None,
    order: str,
    with_retries: bool,
    edit: bool,
    replay_id: str | None,
    now: bool,
    yes: bool,
    **given: Any,
) -> int:
    """Send the same events again, byte for byte: each ID, or all that match, as new deliveries.

    An ID may be its end, @last or @last-failed. A filter is counted first, and sent in turn; ^C pauses it. Exit 1 when
    a receiver did not answer with 2xx.
    """
    wanted = filter_of(**given)
    many = wanted.given or dry_run or any(option is not None for option in (to, rate, canary, stop_after))
    _check_replay(delivery_ids, wanted, replay_id, many=many, with_retries=with_retries, now=now)
    if edit:
        _check_edit(delivery_ids, others=many or with_retries or now or replay_id is not None)
        return _edit_and_send(app, delivery_ids[0])
    if replay_id is not None:
        return resume(app, replay_id)
    if not many:
        return _replay_each(app, delivery_ids, with_retries=with_retries, now=now)
    wish = Wish(rate=rate, canary=canary, stop_after=stop_after, with_retries=with_retries, to=to, order=order)
    ids = [_find(app, delivery_id)["id"] for delivery_id in delivery_ids]
    return replay_many(app, wanted, ids, wish, dry_run=dry_run, yes=yes or bool(ids))


def _check_replay(
    delivery_ids: tuple[str, ...], wanted: Filter, replay_id: str | None, *, many: bool, with_retries: bool, now: bool
) -> None:
    """Check that what was typed fits together. Raises: InvalidInput."""
    if now and (with_retries or many or replay_id):
        raise InvalidInput(
            "--now keeps the delivery's own schedule.", hint="Give ids alone, or leave it out.", field="--now"
        )
    if replay_id is not None and (delivery_ids or wanted.given):
        raise InvalidInput(
            "--resume goes on with what was asked then.", hint="Leave out ids and filters.", field="--resume"
        )
    if delivery_ids and wanted.given:
        raise InvalidInput("Give ids, or say which by a filter: not both.")
    if not delivery_ids and not wanted.given and replay_id is None:
        raise InvalidInput(
            "Say which deliveries: their ids, or a filter as --unresolved.",
            hint="See what there is: swiftclaw deliveries list --unresolved --group cause",
        )


def _check_edit(delivery_ids: tuple[str, ...], *, others: bool) -> None:
    """Check that one event is to be changed, and nothing else is asked for. Raises: InvalidInput."""
    if len(delivery_ids) != 1 or others:
        raise InvalidInput(
            "--edit changes the event of one delivery, and announces it as a new event, retried as any other.",
            hint="Give one id and nothing else: swiftclaw deliveries replay @last --edit",
            field="--edit",
        )


def _edit_and_send(app: App, delivery_id: str) -> int:
    """Have an event changed and announced to the same webhook as a new one; return the exit code.

    A replay repeats the bytes under the same id: what has other bytes is another event.
    """
    from swiftclaw_local.cli.editing import edited_event  # noqa: PLC0415 - few need it

    delivery = _find(app, delivery_id)
    before = json.loads(event_bytes(app, delivery["event_id"]))
    changed = edited_event(app, before)
    if changed is None:
        app.output.note("Nothing was changed, and nothing sent.")
        return 1
    kind, data = changed
    body = {"type": kind, "data": data, "exact": True, "webhook": delivery["webhook_id"]}
    if kind == before["type"]:  # one that SwiftClaw does not have was allowed then
        body["allow_unknown_type"] = True
    with said_as(type="--edit", data="--edit", webhook="--edit"):
        made = app.client.post(f"/v1/agents/{in_path(delivery['agent'])}/events", body, long=True, **_WAIT)
    return _say_sent(app, made, instead_of=delivery)


def _say_sent(app: App, made: Json, *, instead_of: Json) -> int:
    """Say what came of an event that was changed; return the exit code."""
    if app.output.as_json:
        app.output.json(made)
    elif not made["deliveries"]:
        app.output.note(
            f"{made['event']['id']}  ->  nobody: {instead_of['webhook_id']} does not take {made['event']['type']}."
        )
    else:
        say(app, [sent_line(one, view_of(app)) for one in made["deliveries"]])
        app.output.note("Other bytes are another event: it has an id of its own, and is no replay of the old one.")
        Hints(app).say(made["deliveries"])
    return 0 if made["deliveries"] and all(map(got_through, made["deliveries"])) else 1


def _replay_each(app: App, delivery_ids: tuple[str, ...], *, with_retries: bool, now: bool) -> int:
    """Replay deliveries one after the other, and say of each what came of it; return the exit code."""
    befores = [_find(app, delivery_id) for delivery_id in delivery_ids]
    view = None if app.output.as_json else view_of(app)
    hints = Hints(app)
    code = 0
    for before in befores:
        after = _replayed(app, before, with_retries=with_retries, now=now)
        if view is None:
            app.output.line(json_text(after)) if len(befores) > 1 else app.output.json(after)
        else:
            say(app, [replay_line(before, after, view)])
            hints.say([after])
            app.output.flush()
        code = code if after["state"] == "delivered" else 1
    return code


@command("cancel")
@_ids
@click.option("--yes", is_flag=True, help="For scripts; nothing is asked in any case.")
@pass_app
def cancel(app: App, delivery_ids: tuple[str, ...], *, yes: bool) -> None:
    """End deliveries that are scheduled or retrying: nothing more is sent for them."""
    befores = [_find(app, delivery_id) for delivery_id in delivery_ids]
    canceled = [app.client.post(f"{_PATH}/{in_path(before['id'])}/cancel") for before in befores]
    if app.output.as_json:
        return app.output.json(canceled[0] if len(canceled) == 1 else {"data": canceled, "next": None})
    return app.output.line(f"Canceled {counted(len(canceled), 'scheduled delivery', 'scheduled deliveries')}.")


def _find(app: App, delivery_id: str) -> Json:
    """Return a delivery as it stands; all are looked up before anything is done to one of them."""
    found: Json = app.client.get(f"{_PATH}/{in_path(typed_id(delivery_id))}")
    return found


def _replayed(app: App, before: Json, *, with_retries: bool, now: bool) -> Json:
    """Replay a delivery and return the new one after its first attempt; with `now`, the same one after its next.

    Raises: DeliveryPending, with the way out.
    """
    try:
        made: Json = app.client.post(
            f"{_PATH}/{in_path(before['id'])}/replay", {"with_retries": with_retries, "now": now}
        )
    except DeliveryPending as error:
        hint = f"Bring its next attempt forward: swiftclaw deliveries replay {before['id']} --now"
        raise DeliveryPending(error.message, hint=hint, extra=error.extra) from None
    if now:
        return _went_on(app, made, sends=before["sends"])
    attempted: Json = app.client.get(f"{_PATH}/{in_path(made['id'])}", long=True, **_WAIT)
    return attempted


def _went_on(app: App, delivery: Json, *, sends: int) -> Json:
    """Return a delivery after one more attempt than `sends`; as it stands when it is held or takes too long."""
    for _ in range(_LOOKS):
        if (
            delivery["sends"] > sends
            or delivery["held"]
            or delivery["state"] not in ("retrying", "scheduled", "sending")
        ):
            return delivery
        sleep(_LOOK_AGAIN_S)
        delivery = app.client.get(f"{_PATH}/{in_path(delivery['id'])}")
    return delivery

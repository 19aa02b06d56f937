"""`swiftclaw deliveries replay` and `cancel`: send again what failed, or give up what is scheduled."""

from __future__ import annotations

from time import sleep
from typing import Final

import click

from swiftclaw_local.cli import completion
from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.delivery_texts import replay_line
from swiftclaw_local.cli.flags import typed_id
from swiftclaw_local.cli.looking import Hints, Json, say, view_of
from swiftclaw_local.cli.output import counted, json_text
from swiftclaw_local.cli.shape import command
from swiftclaw_local.errors import DeliveryPending, InvalidInput

_PATH: Final = "/v1/deliveries"
_WAIT: Final = {"wait": "first", "timeout": "60s"}
# The API can wait for a first attempt and for the end, but not for the next attempt.
_LOOK_AGAIN_S: Final = 0.05
_LOOKS: Final = 1200
_ids = click.argument("delivery_ids", metavar="ID...", nargs=-1, required=True, shell_complete=completion.deliveries)


@command("replay")
@_ids
@click.option("--with-retries", is_flag=True, help="Retry on the schedule (default: one attempt).")
@click.option("--now", is_flag=True, help="Of a delivery that is still retrying: bring its next attempt forward.")
@pass_app
def replay(app: App, delivery_ids: tuple[str, ...], *, with_retries: bool, now: bool) -> int:
    """Send the same event again, byte for byte: each ID as a new delivery.

    An ID may be its end, @last or @last-failed. Exit 1 when a receiver did not answer with 2xx.
    """
    if now and with_retries:
        raise InvalidInput("--now keeps the delivery's own schedule.", hint="Leave out --with-retries.", field="--now")
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

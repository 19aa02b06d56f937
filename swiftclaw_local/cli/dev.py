"""`swiftclaw dev -- COMMAND`: a SwiftClaw beside your application, for as long as the application runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import click

from swiftclaw_local import __version__
from swiftclaw_local.cli.address import Address
from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.client import Client, in_path
from swiftclaw_local.cli.dev_processes import Application, Server, check_free
from swiftclaw_local.cli.flags import event_list, said_as
from swiftclaw_local.cli.listening import Place, private_place
from swiftclaw_local.cli.live import FOR_PROGRAMS, Live, Wanted
from swiftclaw_local.cli.live_texts import Lines
from swiftclaw_local.cli.looking import Json
from swiftclaw_local.cli.output import json_text, path_text
from swiftclaw_local.cli.shape import command
from swiftclaw_local.cli.view import View
from swiftclaw_local.durations import parse_duration
from swiftclaw_local.errors import InvalidUrl, NoServer, SwiftclawError
from swiftclaw_local.plain_text import clean

VARIABLE: Final = "SWIFTCLAW_WEBHOOK_SECRET"
URL: Final = "http://localhost:8000/webhooks/swiftclaw"
_LOOK_S: Final = 0.2
_KEYS: Final = "Keys: t send test  r replay last  c certify  o open {console}  q quit"


@dataclass(frozen=True, slots=True)
class Stop:
    """Why it ends: a signal that somebody sent us, or q."""

    how: signal.Signals
    by_key: bool = False


class Stopped(KeyboardInterrupt):
    """A signal asks to stop; raised by its handler."""

    def __init__(self, how: signal.Signals) -> None:
        self.how = how
        super().__init__(how.name)


@command("dev", context_settings={"allow_interspersed_args": False})
@click.argument("words", metavar="[--] COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--url", default=URL, show_default=True, help="Where your command receives webhooks.")
@click.option("--agent", default="my-agent", show_default=True, help="Whose events it receives.")
@click.option("--events", metavar="TYPE,TYPE", help="Only these types (default: all nine).")
@click.option("--secret", help="The webhook's secret (default: as it is, or a new one).")
@click.option("--env", "variable", metavar="NAME", default=VARIABLE, show_default=True, help="Gets the secret.")
@click.option("--wait-port", metavar="TIME", default="30s", show_default=True, help="How long it may take to listen.")
@click.option("--port", metavar="PORT", help="The server's port (default: 7420).")
@click.option("--db", metavar="FILE|URL", help="The server's database.")
@click.option("--ephemeral", is_flag=True, help="Keep nothing.")
@click.option("--clock", metavar="real|manual|xN", help="The server's clock.")
@click.option(
    "--output",
    "form",
    type=click.Choice(["interactive", "compact", "quiet", "json"]),
    help="interactive (on a terminal), compact (else), quiet: trouble only, json.",
)
@pass_app
def dev(app: App, words: tuple[str, ...], *, form: str | None, **given: Any) -> int:
    """Run a server and your application beside it, show what is sent, and stop both together.

    COMMAND is started in this folder, with the webhook's secret in its environment. Its port is waited for, its URL is
    registered. The exit code is COMMAND's own.
    """
    place = _place(given["url"])
    wait_s = parse_duration(given["wait_port"], field="--wait-port").total_seconds()
    events = event_list(given["events"], [], taken="")
    form = _form(app, form)
    with _signals(), _server(app, given) as (client, started):
        check_free(place, given["url"])
        with said_as(url="--url", events="--events", secret="--secret"):  # noqa: S106 - the option's name
            webhook, secret = _registered(client, given, events)
        environment = {**os.environ, given["variable"]: secret, "SWIFTCLAW_API_URL": client.address.url}
        application = Application(words, environment=environment, may_read=form != "interactive")
        try:
            took = application.wait_for(place, seconds=wait_s)
            if application.exit_code is None:
                banner = _banner(started, webhook, given, application, took, keys=form == "interactive")
                session = _Session(app, client, started=started, webhook=webhook, application=application, form=form)
                how = session.run(banner)
            else:
                how = None
        except Stopped as stopped:
            how = Stop(stopped.how)
        except BaseException:
            application.stop()
            raise
        return _end(app, application, how)


def _end(app: App, application: Application, how: Stop | None) -> int:
    """Stop what still runs, and return the command's exit code."""
    if how is None:
        code = application.exit_code
        application.stop()
        app.output.note(f"Your command ended with exit code {code}: {application.text}")
        return code or 0
    try:
        code = application.stop(how.how)
        return 0 if how.by_key and code == 128 + signal.SIGTERM else code  # it ended as it was asked to
    except Stopped:  # asked once more: at once
        return application.stop(signal.SIGKILL)


def _place(url: str) -> Place:
    """Return where the command is to listen. Raises: InvalidUrl when that is not on this machine."""
    place = private_place(url if "://" in url else "")
    if "://" not in url:
        raise InvalidUrl(f'--url "{url}" has no scheme. Did you mean http://{url} ?', field="--url")
    if place is None:
        raise InvalidUrl(
            f"--url {url} is not on this machine, and your command is started here.",
            hint="Write http://localhost:8000/… with the port that your command listens on.",
            field="--url",
        )
    return place


def _form(app: App, asked: str | None) -> str:
    from swiftclaw_local.cli.keys import terminal_keys  # noqa: PLC0415 - needs a terminal's library, which not every place has

    if app.output.as_json:
        return "json"
    if asked is not None and asked != "interactive":
        return asked
    if app.output.terminal and terminal_keys() is not None:
        return "interactive"
    return "quiet" if app.output.quiet else "compact"


# --- the server ------------------------------------------------------------------------------------------------------


@contextmanager
def _server(app: App, given: dict[str, Any]) -> Iterator[tuple[Client, Json]]:
    """Give a client of the server that runs in this project, or of one started for the time of the block."""
    running = _running(app, given)
    if running is not None:
        yield running
        return
    flags = [f"--{name}={given[name]}" for name in ("port", "db", "clock") if given[name] is not None]
    server = Server([*flags, *(["--ephemeral"] if given["ephemeral"] else [])], environment=os.environ)
    try:
        started = server.started()
        client = Client(Address(started["url"]), timeout_s=app.timeout_s, token=None)
        try:
            yield client, started
        finally:
            client.close()
    finally:
        server.stop()


def _running(app: App, given: dict[str, Any]) -> tuple[Client, Json] | None:
    """Return the server that is found, unless another was asked for or none answers."""
    if given["ephemeral"] or any(given[name] is not None for name in ("port", "db", "clock")):
        return None
    try:
        status = app.client.get("/_local/status")
    except NoServer:
        return None
    data = None if status["ephemeral"] else status["data"]
    clock = {"real": "real time", "manual": "manual"}.get(status["clock"]["mode"], "fast")
    return app.client, {
        "url": app.address.url,
        "console": status["console"],
        "db": data,
        "clock": clock,
        "found": True,
    }


def _registered(client: Client, given: dict[str, Any], events: list[str] | None) -> tuple[Json, str]:
    """Return the webhook of this agent and URL, registered now if there is none, and its secret."""
    path = f"/v1/agents/{in_path(given['agent'])}/webhooks"
    found = [webhook for webhook in client.every(path) if webhook["url"] == given["url"]]
    wish = {name: value for name, value in (("events", events), ("secret", given["secret"])) if value is not None}
    if not found:
        webhook = client.post(path, {"url": given["url"], **wish})
        return webhook, str(webhook["secret"])
    one = f"{path}/{in_path(found[0]['id'])}"
    webhook = client.patch(one, {"enabled": True, **wish}) if wish or not found[0]["enabled"] else found[0]
    return webhook, str(client.get(f"{one}/secret")["secret"])


# --- while it runs ---------------------------------------------------------------------------------------------------


class _Session:
    """Shows what happens, and does what keys ask for, until the command ends or somebody has enough."""

    def __init__(
        self, app: App, client: Client, *, started: Json, webhook: Json, application: Application, form: str
    ) -> None:
        self._app = app
        self._client = client
        self._started = started
        self._webhook = webhook
        self._application = application
        self._form = form
        view = View(0, app.output.id, terminal=app.output.terminal)
        self._lines = Lines(view, wide=form == "interactive", quiet=form == "quiet")

    def run(self, banner: list[str]) -> Stop | None:
        """Say how it stands, and return why it is to be stopped; None when the command ended by itself."""
        from swiftclaw_local.cli.keys import Ears, single_keys, terminal_keys  # noqa: PLC0415 - as above

        wanted = Wanted(types=FOR_PROGRAMS if self._form == "json" else None)
        live = Live(self._client.another(), wanted)
        keys = terminal_keys() if self._form == "interactive" else None
        if keys is None:
            _say(self._app, banner, form=self._form)
            return self._until_end(Ears(live.messages(), keys_from=None))
        with single_keys(keys):  # first, so that a key that is typed as soon as it is offered is not shown
            _say(self._app, banner, form=self._form)
            return self._until_end(Ears(live.messages(), keys_from=keys))

    def _until_end(self, ears: Any) -> Stop | None:
        while self._application.exit_code is None:
            heard = ears.next(timeout_s=_LOOK_S)
            if heard == "q":
                return Stop(signal.SIGTERM, by_key=True)
            if isinstance(heard, str):
                self._key(heard)
            elif heard is not None:
                self._show(heard)
        return None

    def _show(self, message: Json) -> None:
        if self._form == "json":
            if message["kind"] not in ("open", "lost", "back"):
                self._app.output.line(json_text(message))
        else:
            for line in self._lines.of(message):
                self._app.output.line(clean(line))
        self._app.output.flush()

    def _key(self, key: str) -> None:
        agent, name = self._webhook["agent"], self._webhook["id"]
        match key:
            case "t":
                self._beside(lambda client: client.post(f"/v1/agents/{in_path(agent)}/webhooks/{name}/test", {}))
            case "r":
                self._beside(lambda client: client.post("/v1/deliveries/@last/replay", {}))
            case "o":
                import webbrowser  # noqa: PLC0415 - needed by this key alone

                webbrowser.open(self._client.address.url)
            case "c":
                words = ["--api-url", self._client.address.url, "certify", agent, name]
                subprocess.run([sys.executable, "-m", "swiftclaw_local", *words], check=False)  # noqa: S603 - our own command
            case "?" | "h":
                self._app.output.note(_keys_text(self._started))

    def _beside(self, act: Callable[[Client], Any]) -> None:
        """Ask the server for something on a thread, and say only what it refuses: the rest is seen as it happens."""

        def run() -> None:
            client = self._client.another()
            try:
                act(client)
            except SwiftclawError as error:
                self._app.output.note(clean(error.message))
            finally:
                client.close()

        threading.Thread(target=run, daemon=True).start()


@contextmanager
def _signals() -> Iterator[None]:
    """Have SIGTERM and SIGHUP stop us in order, as ^C does."""

    def stop(number: int, _frame: Any) -> None:
        raise Stopped(signal.Signals(number))

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- what is said ----------------------------------------------------------------------------------------------------


def _say(app: App, lines: list[str], *, form: str) -> None:
    """Say how it stands: on stdout for people, on stderr where the lines are for programs."""
    if app.output.quiet or form == "quiet":
        return
    for line in lines:
        app.output.note(line) if form == "json" else app.output.line(clean(line))
    app.output.flush()


def _banner(
    started: Json, webhook: Json, given: dict[str, Any], application: Application, took: float, *, keys: bool
) -> list[str]:
    count = len(webhook["events"])
    types = "all 9 event types" if count == 9 else ", ".join(webhook["events"])
    kept = (
        "in memory, nothing is kept"
        if started["db"] is None
        else f"{path_text(started['db'])}   (kept; --ephemeral for memory)"
    )
    found = "   (was running)" if started.get("found") else ""
    up = "its port is open" if not took else f"up after {took:.1f} s"
    lines = [
        f"SwiftClaw local {__version__}   a fake for development, not the SwiftClaw service",
        f"  {'API + console' if started['console'] else 'API':<15} {started['url']}{found}",
        f"  data            {kept}      clock: {str(started['clock']).partition(';')[0]}",
        f"  {webhook['id']:<15} {webhook['agent']} -> {webhook['url']}   ({types})",
        f"  secret          {given['variable']} set for your command; show: swiftclaw webhooks secret {webhook['agent']} {webhook['id']}",
        f"  your command    {application.text}     {up}",
    ]
    return [*lines, _keys_text(started)] if keys else lines


def _keys_text(started: Json) -> str:
    return _KEYS.format(console="console" if started["console"] else "in the browser")

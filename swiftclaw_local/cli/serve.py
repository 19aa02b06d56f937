"""`swiftclaw serve`: reads the settings, starts the server in this process, and says where it is.

Only its function loads the server; the options are the settings themselves, so that none is missing.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import Field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import click

from swiftclaw_local import __version__
from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.output import counted, path_text
from swiftclaw_local.cli.shape import Command, command
from swiftclaw_local.errors import InvalidInput
from swiftclaw_local.settings import Settings, load_settings, shown

if TYPE_CHECKING:
    from swiftclaw_local.server.serve import Started

CONFIG: Final = Path("swiftclaw.toml")
_REPEATABLE: Final = ("allow_host", "api_host")
_WIDTH: Final = 30
# What may be written for a setting, shown in the help; VALUE where it says nothing.
_WRITTEN: Final = {
    "host": "ADDRESS",
    "port": "PORT",
    "db": "FILE|URL",
    "durability": "full|normal",
    "clock": "real|manual|xN",
    "seed": "N",
    "secret": "SECRET",
    "retry_schedule": "TIME,TIME",
    "retry_jitter": "PART",
    "send_timeout": "TIME",
    "connect_timeout": "TIME",
    "per_webhook": "N",
    "concurrency": "N",
    "headers": "plain|debug|standard",
    "egress": "local|public|any",
    "allow_host": "HOST",
    "ca_file": "FILE",
    "token_file": "FILE",
    "api_host": "HOST",
    "retention": "TIME",
    "log_format": "auto|text|json",
    "log_level": "debug|info|warning|error",
}


def _option(setting: Field[Any]) -> click.Option:
    """Return the option of one setting. No type: `load_settings` reads the value, as it does from a file."""
    default = None if setting.default in (None, ()) or setting.default is False else shown(setting.default)
    written = _WRITTEN.get(setting.name, "VALUE")
    meaning = setting.metadata["meaning"]
    if meaning.split()[0].strip(",") not in written.split("|"):
        meaning = meaning[:1].upper() + meaning[1:]
    meaning += f" (default: {default})." if default else "."
    names = [setting.name, "--" + setting.name.replace("_", "-")]
    if isinstance(setting.default, bool):
        return click.Option(names, is_flag=True, default=None, help=meaning)
    if setting.name in _REPEATABLE:
        return click.Option(names, multiple=True, metavar=written, help=f"{meaning} Repeatable.")
    return click.Option(names, metavar=written, help=meaning)


def _with_settings(of: Command) -> Command:
    of.params[:0] = [_option(setting) for setting in fields(Settings)]
    return of


@_with_settings
@command("serve")
@click.option("--serial", is_flag=True, help="One attempt at a time per webhook: --per-webhook 1.")
@click.option(
    "--until-eof", is_flag=True, help="Stop when the standard input ends: with the program that holds its other end."
)
@click.option("--config", metavar="FILE", type=Path, help=f"Settings file (default: ./{CONFIG} if there is one).")
@pass_app
def serve(app: App, serial: bool, until_eof: bool, config: Path | None, **given: Any) -> None:
    """Run the server here until ^C.

    Every setting may also stand in the environment (SWIFTCLAW_PORT=7421) or in the settings file (port = 7421).
    """
    settings = _settings(app, given, serial=serial, config=config)
    gc.disable()  # until the server runs: it throws nothing away while it loads, and looking for that took a sixth of its start
    from swiftclaw_local.server.serve import run  # noqa: PLC0415 - the engine is loaded by this command alone

    run(settings, started=_banner(app, settings), until_eof=until_eof)


def _settings(app: App, given: dict[str, Any], *, serial: bool, config: Path | None) -> Settings:
    """Return the settings: flags over the environment over the file. Raises: InvalidSetting, InvalidInput."""
    if serial and given["per_webhook"] not in (None, "1"):
        raise InvalidInput("--serial and --per-webhook contradict each other.", hint="Leave one of them out.")
    flags = {name: None if value == () else value for name, value in given.items()}
    if serial:
        flags["per_webhook"] = 1
    if config is None and CONFIG.is_file():
        config = CONFIG
    return load_settings(flags, environment=app.environment, config=config)


def _banner(app: App, settings: Settings) -> Callable[[Started], None]:
    def say(started: Started) -> None:
        if app.output.as_json:
            app.output.json(_document(started, settings))
        elif not app.output.quiet:
            for line in banner_lines(started, settings):
                app.output.line(line)
        app.output.flush()

    return say


def banner_lines(started: Started, settings: Settings) -> list[str]:
    """Return what is said when the server is up: where it listens, what it keeps, and how its clock stands."""
    data = _place_text(started)
    api = f"{started.url:<{_WIDTH}} {_reach_text(started.url)}" if started.url else "none: a worker, it only delivers"
    lines = [
        f"SwiftClaw local {__version__}   a fake for development, not the SwiftClaw service",
        f"  {'API + console' if _has_console(started, settings) else 'API':<15} {api}".rstrip(),
        f"  data            {data:<{_WIDTH}} {_data_text(started)}",
        f"  clock           {started.clock}",
    ]
    if settings.egress != "local" or settings.allow_host:
        lines.append(f"  sends to        {_egress_text(settings)}")
    kept = "everything is forgotten then" if started.db is None else "scheduled retries are kept"
    if started.url is None:
        return [*lines, "Delivering. ^C stops; other dispatchers go on."]
    return [*lines, f"Waiting for events. ^C stops; {kept}."]


def _place_text(started: Started) -> str:
    if started.db is None:
        return "in memory"
    return path_text(started.db) if isinstance(started.db, Path) else str(started.db)


def _data_text(started: Started) -> str:
    opened = started.opened
    if started.db is None:
        return "nothing is kept after the end"
    parts = ["kept between runs"]
    if started.durability == "normal":
        parts.append("but for the last moments before a power loss (--durability normal)")
    parts += [counted(opened.webhooks, "webhook"), counted(opened.deliveries, "delivery", "deliveries")]
    if opened.interrupted:
        parts.append(f"{counted(opened.interrupted, 'attempt')} cut off when it last stopped")
    if opened.overdue:
        parts.append(f"{counted(opened.overdue, 'retry', 'retries')} due while it was off: sent now")
    return ", ".join(parts)


def _document(started: Started, settings: Settings) -> dict[str, Any]:
    return {
        "url": started.url,
        "console": _has_console(started, settings),
        "db": None if started.db is None else str(started.db),
        "durability": started.durability,
        "clock": started.clock,
        "webhooks": started.opened.webhooks,
        "deliveries": started.opened.deliveries,
        "overdue": started.opened.overdue,
        "interrupted": started.opened.interrupted,
    }


def _has_console(started: Started, settings: Settings) -> bool:
    return bool(started.url) and not settings.no_console


def _egress_text(settings: Settings) -> str:
    if settings.egress == "any":
        return "any host, public ones too (--egress any)"
    if settings.egress == "public":
        return "public hosts only (--egress public)"
    return f"this machine and private networks, and {', '.join(settings.allow_host)}"


def _reach_text(url: str) -> str:
    host = urlsplit(url).hostname or ""
    try:
        own = ip_address(host).is_loopback
    except ValueError:
        own = host == "localhost"
    return "(this machine only)" if own else "(other machines reach it too; they need a token)"

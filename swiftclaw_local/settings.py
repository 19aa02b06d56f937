"""What can be set when the server starts, and where each value came from: defaults < TOML file < environment < flags.

"Unset" differs from "default": a source that does not mention a setting leaves it to the one below. A setting's name is
the same everywhere: `send_timeout` is `--send-timeout`, `SWIFTCLAW_SEND_TIMEOUT`, and `send_timeout` in the file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from swiftclaw_local.durations import duration_text, parse_duration
from swiftclaw_local.errors import InvalidSetting, SwiftclawError

DEFAULT_PORT: Final = 7420
DEFAULT_DB: Final = Path(".swiftclaw") / "swiftclaw.db"
ENVIRONMENT_PREFIX: Final = "SWIFTCLAW_"


def _choice(*allowed: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"choose one of {', '.join(allowed)}")
        return str(value)

    return read


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not str(value).lstrip("-").isdigit() or not low <= int(value) <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return int(value)

    return read


def _flag(value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    answer = words.get(str(value).lower())
    if answer is None:
        raise ValueError("write true or false")
    return answer


def _fraction(value: Any) -> float:
    number = float(value)
    if not 0 <= number <= 1:
        raise ValueError("write a number from 0 to 1, as 0.1")
    return number


def _duration(value: Any) -> timedelta:
    duration = value if isinstance(value, timedelta) else parse_duration(str(value))
    if duration <= timedelta():
        raise ValueError("write a duration above zero, as 10s")
    return duration


def _schedule(value: Any) -> tuple[timedelta, ...]:
    parts = value.split(",") if isinstance(value, str) else list(value)
    return tuple(_duration(part) for part in parts if part != "")


def _names(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else list(value)
    return tuple(str(part).strip() for part in parts if str(part).strip())


def _clock(value: Any) -> str:
    written = str(value)
    if written not in ("real", "manual"):
        try:
            rate = float(written.removeprefix("x")) if written.startswith("x") else 0.0
        except ValueError:
            rate = 0.0
        if not 0 < rate <= 1_000_000:
            raise ValueError("choose real, manual, or xN as x60")
    return written


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """Where a PostgreSQL database is. As text it has no password; `secret` is the whole, for the driver alone."""

    secret: str = field(repr=False)

    def __str__(self) -> str:
        return without_password(self.secret)


def without_password(text: str) -> str:
    """Return a text with the passwords of all URLs in it taken out."""
    hidden = re.sub(r"(://[^:/@\s]*):[^/@\s]*(?:[^\s]*)@", r"\1:***@", text)
    return re.sub(r"(password=)[^&\s]*", r"\1***", hidden, flags=re.IGNORECASE)


def _database(value: Any) -> Path | DatabaseUrl:
    if isinstance(value, DatabaseUrl):
        return value
    scheme, separator, _ = str(value).partition("://")
    if not separator:
        return _path(value)
    if scheme not in ("postgresql", "postgres"):
        raise ValueError("write a file name, or postgresql://user@host/database")
    return DatabaseUrl(str(value))


def _path(value: Any) -> Path:
    return Path(value).expanduser()


def _setting(default: Any, read: Callable[[Any], Any], meaning: str) -> Any:
    return field(default=default, metadata={"read": read, "meaning": meaning})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set; the field's metadata tells how to read a value and what it means."""

    host: str = _setting("127.0.0.1", str, "address the API listens on; any but loopback needs token_file")
    port: int = _setting(DEFAULT_PORT, _whole(0, 65535), "port of the API; 0 takes any free one")
    db: Path | DatabaseUrl = _setting(
        DEFAULT_DB,
        _database,
        "database file, key, lock and server.json lie beside it; or postgresql://user@host/database",
    )
    worker_only: bool = _setting(
        False, _flag, "deliver what others accept into the same PostgreSQL database, and serve no API"
    )
    no_console: bool = _setting(False, _flag, "serve the API alone, without the web console")
    ephemeral: bool = _setting(False, _flag, "keep everything in memory, and nothing after the end")
    durability: str = _setting(
        "full", _choice("full", "normal"), "full survives power loss, normal the death of the process only"
    )
    clock: str | None = _setting(
        None, _clock, "real, manual, or xN for N times as fast; unset: as it was left, else real"
    )
    seed: int | None = _setting(None, _whole(0, 2**63 - 1), "makes ids and jitter the same in every run")
    secret: str | None = _setting(None, str, "secret of webhooks that are made without one")
    retry_schedule: tuple[timedelta, ...] = _setting(
        tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 360)),
        _schedule,
        "waits before each retry; their number is the limit of retries",
    )
    retry_jitter: float = _setting(
        0.0, _fraction, "adds up to this part of a wait to it, at random; 0 keeps the exact times"
    )
    send_timeout: timedelta = _setting(
        timedelta(seconds=10), _duration, "real time for everything up to the end of the response headers"
    )
    connect_timeout: timedelta = _setting(timedelta(seconds=5), _duration, "real time of it to connect")
    per_webhook: int | None = _setting(
        None,
        _whole(1, 1000),
        "attempts in flight per webhook; unset: 10, and 1 while the clock is manual, so that a run repeats exactly",
    )
    concurrency: int = _setting(512, _whole(1, 10_000), "attempts in flight in all")
    headers: str = _setting(
        "plain",
        _choice("plain", "debug", "standard"),
        "request headers: as the platform, or with ours or Standard Webhooks' added",
    )
    egress: str = _setting(
        "local",
        _choice("local", "public", "any"),
        "where it may send: this machine and private networks, public hosts only, or both",
    )
    allow_host: tuple[str, ...] = _setting(
        (), _names, "public hosts it may send to: api.example.com, *.example.com, 203.0.113.0/24"
    )
    ca_file: Path | None = _setting(
        None, _path, "PEM file of certificate authorities that receivers' certificates may come from"
    )
    token_file: Path | None = _setting(
        None, _path, "file of API tokens, one a line, each with an optional scope: read, emit, manage, admin"
    )
    api_host: tuple[str, ...] = _setting((), _names, "further names by which the API may be called, besides loopback's")
    retention: timedelta | None = _setting(
        None, _duration, "how long events are kept after their deliveries ended, as 30d; unset: for ever"
    )
    log_format: str = _setting(
        "auto", _choice("auto", "text", "json"), "log lines for people or machines; auto: text on a terminal"
    )
    log_level: str = _setting(
        "info", _choice("debug", "info", "warning", "error"), "debug also shows each success above 50 a second"
    )

    def slots(self, *, manual: bool) -> int:
        """Return how many attempts may be in flight per webhook (decision D24)."""
        if self.per_webhook is not None:
            return self.per_webhook
        return 1 if manual else 10

    @property
    def clock_rate(self) -> float | None:
        """Engine seconds per real second: 0 manual, 1 real; None: as it was left."""
        match self.clock:
            case None:
                return None
            case "real":
                return 1.0
            case "manual":
                return 0.0
            case fast:
                return float(fast.removeprefix("x"))

    @property
    def data_folder(self) -> Path:
        """The folder of the database file; of a PostgreSQL database, where its key and server.json lie on this host."""
        return (self.file or DEFAULT_DB).parent

    @property
    def file(self) -> Path | None:
        """The database file; None when the database is PostgreSQL."""
        return self.db if isinstance(self.db, Path) else None

    @property
    def kept(self) -> str:
        """What the database survives: none (in memory), full, normal; `server`: as the PostgreSQL server is set up."""
        if self.ephemeral:
            return "none"
        return self.durability if self.file else "server"

    @property
    def database_shown(self) -> str:
        """Where the database is, for people: the file in full, or the URL without its password."""
        return str(self.db.resolve()) if isinstance(self.db, Path) else str(self.db)


def load_settings(
    given: Mapping[str, Any], *, environment: Mapping[str, str] | None = None, config: Path | None = None
) -> Settings:
    """Return the settings: `given` (flags; None means unset) over the environment over the TOML file over the defaults.

    Raises: InvalidSetting, naming the source and the setting.
    """
    known = {f.name: f for f in fields(Settings)}
    values: dict[str, Any] = {}
    for source, entries in (
        (str(config), _read_config(config) if config else {}),
        ("the environment", _from_environment(environment or {}, known)),
        ("the command line", {name: value for name, value in given.items() if value is not None}),
    ):
        for name, value in entries.items():
            if name not in known:
                raise _unknown(name, source, list(known))
            values[name] = _read(known[name].metadata["read"], name, value, source)
    return Settings(**values)


def shown(value: Any) -> str:
    """Return a setting's value as a person would write it."""
    match value:
        case None:
            return "unset"
        case timedelta():
            return duration_text(value)
        case tuple():
            return ",".join(shown(part) for part in value) or "none"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _from_environment(environment: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, str]:
    names = {ENVIRONMENT_PREFIX + name.upper(): name for name in known}
    return {names[key]: value for key, value in environment.items() if key in names}


def _read_config(path: Path) -> dict[str, Any]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidSetting(f"There is no settings file {path}.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSetting(f"The settings file {path} cannot be read: {error}") from None
    return {name.replace("-", "_"): value for name, value in entries.items()}


def _read(read: Callable[[Any], Any], name: str, value: Any, source: str) -> Any:
    try:
        return read(value)
    except SwiftclawError as error:
        reason = error.message
    except (ValueError, TypeError) as error:
        reason = str(error)
    raise InvalidSetting(
        f'{name} = "{without_password(str(value))}" in {source} cannot be used: {reason}.'.replace("..", "."),
        field=name,
    )


def _unknown(name: str, source: str, known: list[str]) -> InvalidSetting:
    close = get_close_matches(name, known, n=1)
    guess = f" Did you mean {close[0]}?" if close else ""
    return InvalidSetting(
        f'There is no setting "{name}" ({source}).{guess}', hint=f"Settings: {', '.join(known)}", field=name
    )

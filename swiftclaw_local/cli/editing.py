"""Lets people change something in their own editor: the one in `$VISUAL`, else in `$EDITOR`.

It knows no command and asks no server; what the text must hold is the caller's matter.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from swiftclaw_local.cli.app import App
from swiftclaw_local.cli.event_data import JsonObject, parse_data
from swiftclaw_local.errors import InvalidInput, InvalidJson, SwiftclawError

VARIABLES: Final = ("VISUAL", "EDITOR")
FIELD: Final = "--edit"
T = TypeVar("T")


def edited_data(app: App, data: JsonObject) -> JsonObject | None:
    """Return an event's data as somebody changed it, None when nothing was changed. Raises: as `edited`."""
    return edited(app, data, read=lambda text: parse_data(text, source=FIELD))


def edited_event(app: App, event: JsonObject) -> tuple[str, JsonObject] | None:
    """Return an event's type and data as somebody changed them, None when nothing was changed. Raises: as `edited`."""
    return edited(app, {"type": event["type"], "data": event["data"]}, read=_type_and_data)


def edited(app: App, document: Any, *, read: Callable[[str], T]) -> T | None:
    """Have a document changed as JSON, and return what `read` makes of it; None when it was left as it was, or emptied.

    What `read` refuses is said, and may be edited again where somebody can be asked.

    Raises: InvalidInput when there is no editor or it failed; what `read` raises.
    """
    command = _editor(app)
    before = text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    while True:
        text = _edit(command, text)
        if not text.strip() or text == before:
            return None
        try:
            return read(text)
        except (InvalidInput, InvalidJson) as error:
            if not _once_more(app, error):
                raise


def _editor(app: App) -> list[str]:
    """Return the command of the editor. Raises: InvalidInput when none is set, or it cannot be read."""
    written = next((app.environment[name] for name in VARIABLES if app.environment.get(name)), "")
    try:
        command = shlex.split(written)
    except ValueError:
        command = []
    if not command:
        raise InvalidInput(
            "No editor is set, in $VISUAL or $EDITOR.",
            hint='Set one: export EDITOR=nano, or EDITOR="code --wait"',
            field=FIELD,
        )
    return command


def _edit(command: list[str], text: str) -> str:
    """Return the text after the editor ended. Raises: InvalidInput when it did not end well."""
    number, name = tempfile.mkstemp(prefix="swiftclaw-", suffix=".json")
    os.close(number)
    path = Path(name)
    try:
        path.write_text(text, encoding="utf-8")
        code = subprocess.run([*command, name], check=False).returncode  # noqa: S603 - the user's own editor
        if code:
            raise InvalidInput(f"{shlex.join(command)} ended with exit code {code}: nothing was sent.", field=FIELD)
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidInput(f"{shlex.join(command)} cannot be started: {error.strerror}.", field=FIELD) from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{shlex.join(command)} wrote what is not UTF-8: nothing was sent.", field=FIELD) from None
    finally:
        path.unlink(missing_ok=True)


def _once_more(app: App, error: SwiftclawError) -> bool:
    if not app.may_ask:
        return False
    app.output.error(code=error.code, message=error.message, hint=error.hint)
    return app.confirm("Edit it again?", instead="mend it first")


def _type_and_data(text: str) -> tuple[str, JsonObject]:
    """Raises: InvalidJson, InvalidInput."""
    written = parse_data(text, source=FIELD)
    kind, data = written.get("type"), written.get("data")
    if not isinstance(kind, str) or not isinstance(data, dict) or len(written) != 2:
        raise InvalidInput(
            "--edit: an event is written as its type and its data, and nothing else.",
            hint='Write {"type": "agent.failed", "data": {}}; the id and the time are made anew.',
            field=FIELD,
        )
    return kind, data

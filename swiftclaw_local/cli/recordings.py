"""`swiftclaw record` and `events export`: what was announced, into a file of this machine.

The lines come from the server as they are; here they are only written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click

from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.flags import said_as
from swiftclaw_local.cli.output import counted, moment_text, path_text
from swiftclaw_local.cli.shape import group
from swiftclaw_local.plays.keeping import check_free, keep

Json = dict[str, Any]

EXPORT: Final = "/_local/export"
_RECORDING: Final = "/_local/recording"
_NO_EVENT: Final = (b'{"swiftclaw_recording"', b'{"webhook"')
_overwrite = click.option("--overwrite", is_flag=True, help="Write over the file if it exists.")


@group("record")
def record() -> None:
    """Record what is announced into a file, for `swiftclaw play`."""


@record.command("start")
@click.argument("file", metavar="FILE")
@_overwrite
@pass_app
def start(app: App, file: str, *, overwrite: bool) -> None:
    """Record what is announced from now on; FILE is written by `record stop`."""
    path = Path(file).absolute()
    check_free(path, overwrite=overwrite)
    began = app.client.post(_RECORDING, {"file": str(path)})
    if app.output.as_json:
        return app.output.json(began)
    return app.output.line(
        f"Recording since {moment_text(began['began'])}. {path_text(path)} is written by: swiftclaw record stop"
    )


@record.command("show")
@pass_app
def show(app: App) -> None:
    """Show the recording that runs."""
    running = app.client.get(_RECORDING)
    if app.output.as_json:
        return app.output.json(running)
    return app.output.line(
        f"Recording for {path_text(running['file'])} since {moment_text(running['began'])}: "
        f"{counted(running['events'], 'event')} so far."
    )


@record.command("save")
@click.argument("file", metavar="[FILE]", required=False)
@_overwrite
@pass_app
def save(app: App, file: str | None, *, overwrite: bool) -> None:
    """Write what was recorded so far, and go on recording. FILE is the one of `record start` unless it is named."""
    running = app.client.get(_RECORDING)
    path = Path(running["file"] if file is None else file)
    _written(app, running, path, overwrite=overwrite or file is None)


@record.command("stop")
@pass_app
def stop(app: App) -> None:
    """Write what was recorded, and end the recording."""
    running = app.client.get(_RECORDING)
    _write(app, Path(running["file"]), overwrite=True)
    ended = app.client.delete(_RECORDING)
    _say(app, ended, Path(ended["file"]))


def _written(app: App, running: Json, path: Path, *, overwrite: bool) -> None:
    _write(app, path, overwrite=overwrite)
    _say(app, {**running, "file": str(path)}, path)


def _write(app: App, path: Path, *, overwrite: bool) -> None:
    check_free(path, overwrite=overwrite)
    keep(path, app.client.stream(EXPORT, recording=1), overwrite=overwrite)


def _say(app: App, recording: Json, path: Path) -> None:
    if app.output.as_json:
        return app.output.json(recording)
    shown = path_text(path)
    return app.output.line(
        f"Recorded {counted(recording['events'], 'event')} in {shown}. Play them again: swiftclaw play {shown}"
    )


def export_events(
    app: App, *, event_type: str | None, agent: str | None, since: str | None, output: str | None, overwrite: bool
) -> None:
    """Write the events that match to stdout, or into a file."""
    with said_as(since="--since"):
        pieces = app.client.stream(EXPORT, type=event_type, agent=agent, since=since)
        if output is None:
            return _to_stdout(app, pieces)
        path = Path(output)
        counter = _Counter(pieces)
        keep(path, counter.passing(), overwrite=overwrite)
    if app.output.as_json:
        return app.output.json({"file": str(path.absolute()), "events": counter.events})
    return app.output.note(f"Wrote {counted(counter.events, 'event')} to {path_text(path)}.")


class _Counter:
    """Counts the events among lines that pass."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.events = 0
        self._pieces = pieces
        self._rest = b""

    def passing(self) -> Iterator[bytes]:
        """Yield the pieces."""
        for piece in self._pieces:
            *whole, self._rest = (self._rest + piece).split(b"\n")
            self.events += sum(not line.startswith(_NO_EVENT) for line in whole)
            yield piece


def _to_stdout(app: App, pieces: Iterator[bytes]) -> None:
    app.output.flush()
    for piece in pieces:
        app.output.out.buffer.write(piece)
    app.output.flush()

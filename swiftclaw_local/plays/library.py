"""Finds what is to be played: one of the scenarios that come with us, or a file.

It reads files and plays nothing.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Final

from swiftclaw_local.errors import InvalidScenario, UnknownScenario
from swiftclaw_local.plays.scenario import MOST_BYTES, Scenario, read_scenario

_FOLDER: Final = Path(__file__).parent / "scenarios"
BUILT_IN: Final = ("friday-deploy", "flaky", "double-everything", "attacker")
_OF_RECORDINGS: Final = (".ndjson", ".jsonl")


def built_in(name: str) -> Scenario:
    """Return one of `BUILT_IN`."""
    return read_scenario(text_of(name), name=name, source=f"{name}.toml")


def text_of(name: str) -> str:
    """Return the TOML of a scenario of ours, or of a file. Raises: UnknownScenario, InvalidScenario."""
    if name in BUILT_IN:
        return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    return _read(Path(name))


def scenario_of(name: str) -> Scenario:
    """Return the scenario of this name, or in this file. Raises: UnknownScenario, InvalidScenario."""
    if name in BUILT_IN:
        return built_in(name)
    return read_scenario(_read(Path(name)), name=Path(name).stem, source=name)


def is_recording(name: str) -> bool:
    """Return whether this is a file of a recording: by its ending, else by how it begins."""
    path = Path(name)
    if name in BUILT_IN or path.suffix == ".toml":
        return False
    if path.suffix in _OF_RECORDINGS:
        return True
    try:
        with path.open("rb") as file:
            return file.read(64).lstrip().startswith(b"{")
    except OSError:
        return False


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _missing(str(path), error) from None
    if len(raw) > MOST_BYTES:
        raise InvalidScenario(f"{path}: it has {len(raw)} bytes; a scenario has {MOST_BYTES} at most.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidScenario(f"{path}: it is not UTF-8: byte {error.start + 1} fits no character.") from None


def _missing(name: str, error: OSError) -> UnknownScenario | InvalidScenario:
    if not isinstance(error, FileNotFoundError):
        return InvalidScenario(f"{name} cannot be read: {error.strerror}.")
    close = get_close_matches(name, BUILT_IN, n=1)
    guess = f' Did you mean "{close[0]}"?' if close else ""
    return UnknownScenario(
        f'There is no scenario and no file "{name[:200]}".{guess}',
        hint=f"Ours: {', '.join(BUILT_IN)}. Your own: swiftclaw play ./mine.toml",
    )

"""`swiftclaw doctor`: looks for what is wrong with the set-up, one line a check, each with what to do about it.

It changes nothing: it asks the server, reads the database, and opens and closes connections to receivers close by.
"""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

from swiftclaw_local import __version__
from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.clock_texts import clock_text
from swiftclaw_local.cli.output import counted, path_text
from swiftclaw_local.cli.shape import command
from swiftclaw_local.errors import SwiftclawError
from swiftclaw_local.plain_text import clean

PASS: Final = "PASS"  # noqa: S105 - a verdict
WARN: Final = "WARN"
FAIL: Final = "FAIL"
_COLORS: Final = {PASS: "green", WARN: "yellow", FAIL: "red"}
_CONNECT_S: Final = 1.0
_CONTAINER_MARKS: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))
_LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")


class Finding(NamedTuple):
    """What one check found: the verdict, what was looked at, what was seen, and what to do about it."""

    verdict: str
    subject: str
    text: str
    fix: str | None = None


@command("doctor")
@pass_app
def doctor(app: App) -> int:
    """Look for what is wrong with the set-up; exit 1 if anything fails."""
    findings = list(_look(app))
    if app.output.as_json:
        app.output.json({"checks": [finding._asdict() for finding in findings]})
    else:
        _show(app, findings)
    return 1 if any(finding.verdict == FAIL for finding in findings) else 0


def _show(app: App, findings: list[Finding]) -> None:
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        verdict = app.output.style(finding.verdict, _COLORS[finding.verdict])
        app.output.line(f"{verdict}  {finding.subject:<{width}}  {clean(finding.text)}")
        if finding.fix:
            app.output.line(f"{'':<{width + 8}}fix: {clean(finding.fix)}")


def _look(app: App) -> Iterator[Finding]:
    yield look_at_path(app.environment.get("PATH", ""))
    try:
        told = app.client.get("/_local/status")
        webhooks = list(app.client.every("/v1/webhooks"))
    except SwiftclawError as error:
        yield Finding(FAIL, "server", error.message, error.hint)
        return
    here = urlsplit(app.address.url).hostname in _LOCAL_NAMES
    yield look_at_server(told, app.address.url)
    yield look_at_deliveries(told)
    if here and not told["ephemeral"]:
        yield look_at_database(told["data"])
    yield look_at_clock(told["clock"])
    inside = here and any(mark.exists() for mark in _CONTAINER_MARKS)
    for webhook in webhooks:
        yield look_at_webhook(webhook, inside_container=inside)


def look_at_path(path: str) -> Finding:
    """Say which `swiftclaw` the shell runs: ours, or another program, as the platform's own."""
    for folder in path.split(os.pathsep):
        program = Path(folder or ".") / "swiftclaw"
        if program.is_file() and os.access(program, os.X_OK):
            break
    else:
        return Finding(PASS, "command", "no other program of the name swiftclaw on PATH")
    try:
        ours = b"swiftclaw_local" in program.read_bytes()[:4096]
    except OSError:
        ours = False
    if ours:
        return Finding(PASS, "command", f"swiftclaw is {program}")
    return Finding(
        WARN, "command", f"swiftclaw is another program: {program}", "Type swiftclaw-local, or put ours first on PATH."
    )


def look_at_server(told: dict[str, Any], url: str) -> Finding:
    """Say whether the server and this command are of the same version."""
    text = f"{url}   {told['version']}, pid {told['pid']}"
    if told["version"] == __version__:
        return Finding(PASS, "server", text)
    return Finding(WARN, "server", f"{text}; this command is {__version__}", "Restart it: swiftclaw serve")


def look_at_deliveries(told: dict[str, Any]) -> Finding:
    """Say whether every delivery that is due moves."""
    if told["stuck"]:
        text = f"{counted(told['stuck'], 'delivery', 'deliveries')} due and not sent"
        return Finding(FAIL, "deliveries", text, "Restart the server; nothing is lost by that.")
    return Finding(PASS, "deliveries", f"none stuck, {sum(told['deliveries'].values())} in all")


def look_at_database(data: str | Path) -> Finding:
    """Check the database file, opened for reading only; of a database server, that it let our server in is all we know."""
    if "://" in str(data):
        return Finding(PASS, "database", f"{data} answers the server")
    path = Path(data)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=2)) as file:
            answer = str(file.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return Finding(WARN, "database", f"{path} cannot be checked from here: {error}")
    if answer == "ok":
        return Finding(PASS, "database", f"{path_text(path)} is sound")
    return Finding(
        FAIL, "database", f"{path} is damaged: {answer}", "Stop the server, keep the file, go on with: --db other.db"
    )


def look_at_clock(stands: dict[str, Any]) -> Finding:
    """Say whether the engine's time is the time of day."""
    text = clock_text(stands)
    if stands["mode"] == "manual" and stands["scheduled"]:
        waiting = counted(stands["scheduled"], "attempt")
        return Finding(WARN, "clock", f"{text}; {waiting} wait until it moves", "swiftclaw clock idle, or clock resume")
    if stands["mode"] == "real" and abs(stands["lead_s"]) >= 1:
        return Finding(WARN, "clock", text, "It never goes back; to start over: swiftclaw reset --yes")
    return Finding(PASS, "clock", text)


def look_at_webhook(webhook: dict[str, Any], *, inside_container: bool) -> Finding:
    """Say whether something listens at a webhook's URL; only hosts of this machine and network are connected to."""
    subject, url = webhook["id"], webhook["url"]
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4]
    except (OSError, UnicodeError) as error:
        return Finding(FAIL, subject, f"{url}: {host} has no address ({getattr(error, 'strerror', error)})")
    if not ip_address(str(address[0]).partition("%")[0]).is_private:  # loopback is private, too
        return Finding(WARN, subject, f"{url} is a public host, not checked. {webhook.get('note') or ''}".rstrip())
    try:
        socket.create_connection((str(address[0]), port), timeout=_CONNECT_S).close()
    except ConnectionRefusedError:
        return _refused(subject, url, port, local=host in _LOCAL_NAMES, inside_container=inside_container)
    except OSError as error:
        return Finding(FAIL, subject, f"{url} cannot be reached: {error.strerror or error}")
    return Finding(PASS, subject, f"{url} listens")


def _refused(subject: str, url: str, port: int, *, local: bool, inside_container: bool) -> Finding:
    text = f"{url} refuses the connection: nothing listens on port {port}"
    if local and inside_container:
        text += " inside this container, which is what localhost means here"
        fix = f"Start your receiver; if it runs outside of the container, use http://host.docker.internal:{port}"
        return Finding(FAIL, subject, text, fix)
    return Finding(FAIL, subject, text, "Start your receiver.")

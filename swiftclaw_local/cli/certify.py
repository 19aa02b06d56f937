"""`swiftclaw certify`: is this receiver right? Through the running server, or with `--url` without any server.

The judging is the package `certify`'s; this loads it inside its functions alone. It prints what was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.certify_texts import failing, list_lines, report_lines
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.flags import numbered, said_as
from swiftclaw_local.cli.shape import command
from swiftclaw_local.durations import parse_duration
from swiftclaw_local.errors import InvalidInput, NoServer

if TYPE_CHECKING:
    from swiftclaw_local.settings import Settings

Json = dict[str, Any]

SECRET_VARIABLE: Final = "SWIFTCLAW_WEBHOOK_SECRET"  # noqa: S105 - the variable's name
CONFIG: Final = Path("swiftclaw.toml")
# What only this process can do: a server runs no commands that came in by its API.
_OURS: Final = ("effects_cmd", "break_cmd", "fix_cmd")


@command("certify")
@click.argument("agent", required=False)
@click.argument("webhook_id", metavar="[WEBHOOK]", required=False)
@click.option("--url", metavar="URL", help="The receiver's URL; then no server is needed.")
@click.option("--secret", metavar="SECRET", help=f"With --url: the receiver's secret (or {SECRET_VARIABLE}).")
@click.option("--only", metavar="CHECK,..", help="Only these checks, by id or family: SIG-1,RAW.")
@click.option("--skip", metavar="CHECK,..", help="Without these checks.")
@click.option("--require", metavar="CHECK,..", help="Fail unless these pass; a warning or a skip is not enough.")
@click.option("--effects-url", metavar="URL", help='Tells how many events were processed: 3, {"count": 3}, or a list.')
@click.option("--effects-cmd", metavar="CMD", help="The same from a shell command.")
@click.option("--break-cmd", metavar="CMD", help="Makes the receiver's processing fail, for RETRY-2.")
@click.option("--fix-cmd", metavar="CMD", help="Mends it again.")
@click.option("--slow", metavar="TIME", default="1s", show_default=True, help="Slower than this is a warning.")
@click.option("--allow-host", metavar="HOST", multiple=True, help="With --url: send to this public host. Repeatable.")
@click.option("--junit", "junit_file", metavar="FILE", type=Path, help="Also write the report as JUnit XML.")
@click.option("--strict", is_flag=True, help="Warnings make it fail, too.")
@click.option("--list", "listing", is_flag=True, help="List the checks, and send nothing.")
@pass_app
def certify(
    app: App,
    agent: str | None,
    webhook_id: str | None,
    *,
    require: str | None,
    junit_file: Path | None,
    strict: bool,
    listing: bool,
    **given: Any,
) -> int:
    """Send about forty requests to a receiver and judge it by SwiftClaw's docs. Exit 1 when a check fails, 4 when it cannot be reached.

    Either AGENT and WEBHOOK of a running server, or --url and --secret.
    """
    from swiftclaw_local.certify.catalog import choose, every_check, named  # noqa: PLC0415 - for this command alone

    if listing:
        return _list(app, every_check())
    given = given | {"only": _names(given["only"]), "skip": _names(given["skip"])}
    with said_as(
        only="--only", skip="--skip", require="--require", url="--url", effects_url="--effects-url", slow="--slow"
    ):
        choose(given["only"], given["skip"])
        required = named(_names(require), field="require")
        report = _report(app, agent, webhook_id, given)
    bad = failing(report, strict=strict, required=required)
    if junit_file is not None:
        from swiftclaw_local.certify.junit import junit  # noqa: PLC0415 - only where it was asked for

        _write(junit_file, junit(report, bad))
    if app.output.as_json:
        app.output.json(report)
    else:
        for line in report_lines(report, bad, app.output, server=app.address.url):
            app.output.line(line)
    return NoServer.exit_code if report["unreachable"] else 1 if bad else 0


def _list(app: App, checks: list[Json]) -> int:
    if app.output.as_json:
        app.output.json({"data": checks, "next": None})
    else:
        for line in list_lines(checks):
            app.output.line(line)
    return 0


def _names(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def _report(app: App, agent: str | None, webhook_id: str | None, given: Mapping[str, Any]) -> Json:
    """Return the report on the receiver that was named. Raises: InvalidInput when none was, or two."""
    if given["url"] is not None:
        if agent is not None:
            raise InvalidInput("Name AGENT and WEBHOOK, or give --url; not both.")
        secret = given["secret"] or app.environment.get(SECRET_VARIABLE)
        if not secret:
            raise InvalidInput(
                "--url needs the receiver's secret.", hint=f"Give --secret, or set {SECRET_VARIABLE}.", field="--secret"
            )
        return _here(app, given["url"], secret, given)
    if agent is None or webhook_id is None:
        raise InvalidInput(
            "Which receiver? Name AGENT and WEBHOOK, or give --url and --secret.",
            hint="swiftclaw certify my-agent webhook-123\n"
            "swiftclaw certify --url http://localhost:8000/webhooks/swiftclaw --secret scsec_…",
        )
    if given["secret"] is not None or given["allow_host"]:
        raise InvalidInput("--secret and --allow-host belong to --url; a webhook of the server has its own.")
    return _of_webhook(app, agent, numbered("webhook", webhook_id), given)


def _of_webhook(app: App, agent: str, webhook_id: str, given: Mapping[str, Any]) -> Json:
    path = f"/v1/agents/{in_path(agent)}/webhooks/{in_path(webhook_id)}"
    webhook = app.client.get(path)
    if any(given[name] is not None for name in _OURS):
        return _here(app, webhook["url"], app.client.get(f"{path}/secret")["secret"], given, agent=agent)
    body = {"webhook": webhook_id, "only": given["only"], "skip": given["skip"], "slow": given["slow"]}
    if given["effects_url"] is not None:
        body["effects_url"] = given["effects_url"]
    report: Json = app.client.post("/_local/certify", body, long=True)
    return report


def _here(app: App, url: str, secret: str, given: Mapping[str, Any], *, agent: str | None = None) -> Json:
    """Certify from this process, which needs no server."""
    from swiftclaw_local.certify.standalone import Asked, certify_url  # noqa: PLC0415 - loads the sender

    asked = Asked(
        only=given["only"],
        skip=given["skip"],
        slow_ms=round(parse_duration(given["slow"], field="--slow").total_seconds() * 1000),
        effects_url=given["effects_url"],
        effects_cmd=given["effects_cmd"],
        break_cmd=given["break_cmd"],
        fix_cmd=given["fix_cmd"],
    )
    return certify_url(url, secret, asked, settings=_settings(app, given["allow_host"]), agent=agent)


def _settings(app: App, allow_host: tuple[str, ...]) -> Settings:
    """Return the settings a server would have here: where may be sent to, and how long an answer may take."""
    from swiftclaw_local.settings import load_settings  # noqa: PLC0415 - only what sends from here needs them

    config = CONFIG if CONFIG.is_file() else None
    return load_settings({"allow_host": allow_host or None}, environment=app.environment, config=config)


def _write(file: Path, text: str) -> None:
    """Write a file. Raises: InvalidInput."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"--junit {file} cannot be written: {error.strerror}.", field="--junit") from None

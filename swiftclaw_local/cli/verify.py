"""`swiftclaw verify`: does a signature fit a body, and if not, what was done to the body on the way?

The judging is the server's, which signs with the same code.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import click

from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.shape import command
from swiftclaw_local.errors import InvalidInput
from swiftclaw_local.plain_text import clean


@command("verify")
@click.option("--body", metavar="FILE", required=True, help="The exact bytes that were received; - reads stdin.")
@click.option("--signature", metavar="HEX", required=True, help="The value of the X-SwiftClaw-Signature header.")
@click.option("--secret", metavar="SECRET", required=True, help="The webhook's secret: swiftclaw webhooks secret.")
@pass_app
def verify(app: App, body: str, signature: str, secret: str) -> int:
    """Check a signature; exit 1 and say why when it does not match."""
    told = app.client.post(
        "/_local/verify",
        {"body_base64": base64.b64encode(_read(body)).decode(), "signature": signature, "secret": secret},
    )
    if app.output.as_json:
        app.output.json(told)
    else:
        app.output.line("match" if told["match"] else clean(told["text"]))
    return 0 if told["match"] else 1


def _read(name: str) -> bytes:
    """Return the bytes of a file, or of stdin for `-`. Raises: InvalidInput."""
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"--body {name} cannot be read: {error.strerror}.", hint="Name a file, or - for stdin.", field="--body"
        ) from None

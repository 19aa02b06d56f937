"""A delivery as a curl command: its shape, and what a shell makes of it."""

from __future__ import annotations

import hashlib
import hmac
import shlex
import subprocess
from pathlib import Path

import pytest

from swiftclaw_local.curl import curl_command, sign

URL = "http://localhost:8000/hooks/[a]?x=1&y='2'"


def test_the_signature_is_the_pages() -> None:
    assert sign("scsec_é", b"{}") == hmac.new("scsec_é".encode(), b"{}", hashlib.sha256).hexdigest()


def test_a_plain_body_is_one_quoted_word_of_the_command() -> None:
    command = curl_command(URL, b'{"text":"it\'s $HOME"}', "ab" * 32)
    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "curl"
    assert URL in words
    assert words[words.index("--data-binary") + 1] == '{"text":"it\'s $HOME"}'
    assert f"X-SwiftClaw-Signature: {'ab' * 32}" in words


def test_curl_is_told_to_change_nothing() -> None:
    command = curl_command(URL, b"{}", "s")
    assert all(flag in command for flag in ("--http1.1", "--globoff", "--path-as-is", "--noproxy '*'", "-H Expect:"))
    assert " -L" not in command


@pytest.mark.parametrize(
    "body",
    [
        '{"text":"\u202eturned"}'.encode(),
        b'{"text":"\x7f"}',
        '{"text":"\u2028"}'.encode(),
        b"\xff\xfe",
        b"@/etc/passwd",
        b'{"text":"' + b"x" * 200_000 + b'"}',
    ],
)
def test_a_body_that_no_shell_or_terminal_keeps_goes_through_base64(body: bytes, tmp_path: Path) -> None:
    command = curl_command(URL, body, "s")
    assert "--data-binary @-" in command
    shown = tmp_path / "curl"
    shown.write_text("#!/bin/sh\ncat\n")
    shown.chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    ran = subprocess.run(["/bin/sh", "-s"], input=command.encode(), env=path, capture_output=True, check=True)
    assert (ran.stdout, ran.stderr) == (body, b"")

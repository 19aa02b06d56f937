"""The request of an attempt as a program to paste: its exact bytes and its signature, in Python and in Node. Pure."""

from __future__ import annotations

import base64
import json
from typing import Final

# What a client sets by itself, from the URL and the body.
_OWN: Final = ("host", "content-length")


def python_program(url: str, body: bytes, headers: dict[str, str]) -> str:
    """Return a program for Python's standard library that posts these bytes with these headers."""
    lines = "".join(f"    {_quoted(name)}: {_quoted(value)},\n" for name, value in _sent(headers))
    return (
        "import urllib.error\nimport urllib.request\n\n"
        f"body = {body!r}\n"
        f"headers = {{\n{lines}}}\n"
        f"request = urllib.request.Request({_quoted(url)}, data=body, headers=headers)\n"
        "try:\n    answer = urllib.request.urlopen(request, timeout=10)\n"
        "except urllib.error.HTTPError as error:\n    answer = error\n"
        "print(answer.status, answer.read().decode())\n"
    )


def node_program(url: str, body: bytes, headers: dict[str, str]) -> str:
    """Return a program for Node that posts these bytes with these headers."""
    lines = "".join(f"  {_quoted(name)}: {_quoted(value)},\n" for name, value in _sent(headers))
    return (
        f"const body = {_node_bytes(body)};\n"
        f"const headers = {{\n{lines}}};\n"
        f"const answer = await fetch({_quoted(url)}, {{ method: 'POST', body, headers, redirect: 'manual' }});\n"
        "console.log(answer.status, await answer.text());\n"
    )


def _sent(headers: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.lower() not in _OWN]


def _quoted(text: str) -> str:
    """Return a text as a literal of either language."""
    return json.dumps(text)


def _node_bytes(body: bytes) -> str:
    try:
        return f"Buffer.from({json.dumps(body.decode())})"
    except UnicodeDecodeError:
        return f"Buffer.from({json.dumps(base64.b64encode(body).decode())}, 'base64')"

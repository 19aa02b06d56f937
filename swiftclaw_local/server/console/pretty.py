"""JSON with its lines indented, every number and string as it was written: nothing is parsed and written again. Pure."""

from __future__ import annotations

import json
import re
from typing import Final

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_STEP: Final = "  "


def pretty(body: bytes) -> str:
    """Return a body for people; what is no JSON as it is, its bytes that are no UTF-8 spelled out."""
    text = body.decode("utf-8", "backslashreplace")
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return indented(_TOKEN.findall(text))


def indented(tokens: list[str]) -> str:
    """Return the tokens of one JSON text, each member on a line of its own; empty objects and lists stay on theirs."""
    parts: list[str] = []
    depth = 0
    for number, word in enumerate(tokens):
        before = tokens[number - 1] if number else ""
        if word in "}]":
            depth -= 1
            if before not in ("{", "["):
                parts.append("\n" + _STEP * depth)
        elif before in ("{", "["):
            parts.append("\n" + _STEP * depth)
        parts.append(word)
        match word:
            case "{" | "[":
                depth += 1
            case ",":
                parts.append("\n" + _STEP * depth)
            case ":":
                parts.append(" ")
    return "".join(parts)

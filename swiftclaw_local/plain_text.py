"""Writes text that came from outside so that neither a terminal nor a file takes a part of it for a command."""

from __future__ import annotations

import re
from typing import Final

_CONTROL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufff9-\ufffb]"
    "|[\U000e0000-\U000e007f]"
)


def clean(text: str) -> str:
    r"""Return the text with control, bidi and invisible characters spelled out (`\x1b`, `\u202e`); new lines and tabs stay."""
    return _CONTROL.sub(lambda found: _spelled(ord(found.group())), text.replace("\r\n", "\n"))


def _spelled(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

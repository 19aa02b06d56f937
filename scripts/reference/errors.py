"""docs/reference/errors.md: every error with its code, its HTTP status and its exit code, from the page of errors."""

from __future__ import annotations

from scripts.reference.markdown import code, page, table
from swiftclaw_local.errors import every_error

INTRODUCTION = """
The API answers `{"error": {"code", "message", "hint", "field"}}` with the status below; a command writes the same to stderr and ends with
the exit code below. What a *receiver* answers is never one of these: it stands in the delivery.
"""


def errors_page() -> str:
    """Return the page."""
    rows = [
        [code(error.code), (error.__doc__ or "").strip().splitlines()[0], str(error.http_status), str(error.exit_code)]
        for error in every_error()
    ]
    return page("Errors", INTRODUCTION, table(["code", "means", "status", "exit code"], rows))

"""Loaded by Python before anything else where this folder is on its path: puts the hooks asked for into a child process.

The shipped code knows nothing of them, and carries none.
"""

from __future__ import annotations

from tests.crash.hooks import install

install()

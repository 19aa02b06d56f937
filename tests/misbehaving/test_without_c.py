"""The same table where no C part of aiohttp was built: here in short, in full by `make receivers`.

Answers are read by a reader of our own, which has no such part; this holds it to that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
# those in which reading an answer has a say, and which take no time
SHORT: Final = "neighbour and (13 or 17 or 20 or 21 or 22 or 24) or glued"


def test_the_verdicts_are_the_same_without_the_c_parser() -> None:
    environment = os.environ | {"AIOHTTP_NO_EXTENSIONS": "1", "PYTHONPATH": str(ROOT)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/misbehaving/test_rows.py",
        "tests/misbehaving/test_sequences.py",
        "-k",
        SHORT,
    ]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout
    assert "8 passed" in run.stdout

"""Starts one side on uvloop. Each side is imported alone, so that none carries the others' memory."""

from __future__ import annotations

import importlib
import json
import sys

import uvloop

if __name__ == "__main__":
    side = importlib.import_module(f"tests.bench.sides.{sys.argv[1]}")
    uvloop.run(side.main(**json.loads(sys.argv[2])))

"""`python -m tests.fuzz`: 10,000 requests made up from the OpenAPI document and 5,000 bodies that mean harm; 1 when one did."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.acceptance.running import serving
from tests.fuzz.document import requests_from_the_document
from tests.fuzz.hostile import hostile_json

# What waits for its retry goes to hosts that are made up, too: moving the clock sends it all, and a name that does not
# resolve, or an address that nobody answers at, costs each attempt its time.
FLAGS = (
    *("--ephemeral", "--clock", "manual", "--per-webhook", "50"),
    *("--send-timeout", "20ms", "--connect-timeout", "20ms"),
)


def main() -> int:
    """Run both and print the figures."""
    asked = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    asked.add_argument("--cases", type=int, default=10_000, help="requests from the document, at least")
    asked.add_argument("--each", type=int, default=60, help="of them for each operation and phase in one run")
    asked.add_argument("--hostile", type=int, default=5_000)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    started, wrong = time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as name, serving(Path(name), *FLAGS) as server:
        cases, seed = 0, given.seed
        while cases < given.cases and not wrong:
            found = requests_from_the_document(server.url, folder=Path(name), each=given.each, seed=seed)
            cases, seed = cases + found.cases, seed + 1
            wrong += bool(found.complaints) or not found.cases
            print(found.complaints, end="", flush=True)
        sending = hostile_json(server.url, count=given.hostile, with_seed=given.seed)
        print("\n".join(sending.wrong[:20]), end="")
        tracebacks = (Path(name) / "server.log").read_text().count("Traceback")
        alive = server.process.poll() is None
    answers = ", ".join(f"{count:,} x {status}" for status, count in sorted(sending.answers.items()))
    took = time.perf_counter() - started
    print(f"{cases:,} requests from the document: {wrong} runs with complaints")
    print(f"{sending.answers.total():,} that mean harm: {answers}; {len(sending.wrong)} of 5xx or without an answer")
    print(f"{tracebacks} tracebacks; the server {'runs' if alive else 'has ended'}; {took:.0f} s")
    return 1 if wrong or sending.wrong or tracebacks or not alive else 0


if __name__ == "__main__":
    sys.exit(main())

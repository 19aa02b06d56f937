"""The bench's command: `python -m tests.bench [--quick] [--only NAME] [--json FILE]`.

Prints one table, absolute figures beside ratios, and can write it as JSON. A missed goal is shown in the table. A measure
whose ledger does not balance, or whose processes fail, is left out of it, said on stderr, and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.child import ChildFailed
from tests.bench.machine import cores, machine
from tests.bench.measures import FULL, MEASURES, QUICK, Bench
from tests.bench.receiver import any_receiver
from tests.bench.report import Figure, LedgerUnbalanced, as_json, table


def main() -> int:
    """Measure what was asked for, print the table, and return the exit code."""
    asked = _arguments()
    here, shared = machine(), cores()
    figures: list[Figure] = []
    failed: list[str] = []
    with _folder(keep=asked.keep) as folder, any_receiver(folder, core=shared.receiver) as receiver:
        here |= {"receiver": receiver.name, "shared": shared.text}
        print("\n".join(f"{name:9} {value}" for name, value in here.items()), end="\n\n")
        bench = Bench(receiver, shared, QUICK if asked.quick else FULL, folder)
        for name in asked.only or MEASURES:
            started = time.monotonic()
            try:
                figures += MEASURES[name](bench)
            except (LedgerUnbalanced, ChildFailed) as error:
                failed.append(name)
                log = f"\n{_end_of(bench.log)}" if isinstance(error, ChildFailed) else ""
                print(f"error: {name}: {error}{log}", file=sys.stderr)
            print(f"{name} took {time.monotonic() - started:.0f} s", file=sys.stderr)
    print(table(figures))
    if asked.json:
        asked.json.write_text(json.dumps(as_json(figures, machine=here), indent=1) + "\n", encoding="utf-8")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure the engine against R.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a first look, about a minute")
    parser.add_argument("--only", action="append", choices=list(MEASURES), help="measure this alone; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON, too")
    parser.add_argument("--keep", action="store_true", help="keep the databases and logs, and print where they are")
    return parser.parse_args()


@contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    """Give a folder on the checkout's disk, not in memory: durability is part of what is measured."""
    build = Path.cwd() / "build"
    build.mkdir(exist_ok=True)
    if keep:
        folder = Path(tempfile.mkdtemp(prefix="bench-", dir=build))
        print(f"kept in   {folder}")
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="bench-", dir=build) as name:
        yield Path(name)


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]) if log.exists() else ""


if __name__ == "__main__":
    sys.exit(main())

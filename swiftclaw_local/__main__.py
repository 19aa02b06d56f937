"""`python -m swiftclaw_local` is the same as `swiftclaw`."""

from __future__ import annotations

import sys

from swiftclaw_local.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

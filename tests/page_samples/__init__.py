"""The SwiftClaw page's own samples, as receivers have copied them."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent

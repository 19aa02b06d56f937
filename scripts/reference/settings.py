"""docs/reference/settings.md: every setting, from the metadata of its field."""

from __future__ import annotations

from dataclasses import fields

from scripts.reference.markdown import code, page, table
from swiftclaw_local.settings import ENVIRONMENT_PREFIX, Settings, shown

INTRODUCTION = f"""
What can be set when the server starts. A flag wins over the environment, the environment over the file (`swiftclaw.toml` in the
working directory, or `--config FILE`), the file over the default. A setting has the same name everywhere: `send_timeout` is
`--send-timeout`, `{ENVIRONMENT_PREFIX}SEND_TIMEOUT`, and `send_timeout` in the file. Durations are written `90s`, `5m`, `1h30m`; lists with commas.
"""


def settings_page() -> str:
    """Return the page."""
    rows = [
        [code(setting.name), code(shown(setting.default)), setting.metadata["meaning"]] for setting in fields(Settings)
    ]
    return page("Settings", INTRODUCTION, table(["setting", "default", "means"], rows))

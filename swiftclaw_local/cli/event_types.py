"""The event types that the server knows, with their samples: listed for people, and taken as a start for data.

Nothing about them is written down here: they come from the API.
"""

from __future__ import annotations

import secrets
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import click

from swiftclaw_local.cli.app import App, given_options
from swiftclaw_local.cli.output import json_text
from swiftclaw_local.errors import SwiftclawError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Json = dict[str, Any]

PATH: Final = "/_local/event-types"


def type_lines(types: list[Json]) -> list[str]:
    """Return the lines of `trigger --list`: the types in their groups, each with its meaning and a sample payload."""
    lines: list[str] = []
    for group, members in groupby(types, key=lambda one: str(one["group"])):
        lines += [*([""] if lines else []), f"{group.capitalize()} Events"]
        for one in members:
            lines += [f"  {one['name']}: {one['meaning']}", f"    {json_text(one['sample'])}"]
    return lines


def sample_of(app: App, name: str, agent: str) -> Json:
    """Return the sample data of a type for an agent, with a request id of its own; of an unknown type the agent alone."""
    samples = {one["name"]: one["sample"]["data"] for one in app.client.get(PATH)["data"]}
    data: Json = {**samples.get(name, {"agent": agent})}
    if "agent" in data:
        data["agent"] = agent
    if "request_id" in data:
        data["request_id"] = f"req_0{secrets.token_hex(13)[1:]}"
    return data


def offered_types(context: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the event types, as long as a server runs."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only a shell that completes needs it

    try:
        types = App({"timeout": "500ms", **given_options(context)}).client.get(PATH)["data"]
    except (SwiftclawError, LookupError, TypeError):
        return []
    return [CompletionItem(one["name"], help=one["meaning"]) for one in types if one["name"].startswith(incomplete)]

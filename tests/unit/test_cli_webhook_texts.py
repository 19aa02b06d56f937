"""What webhooks look like to people."""

from __future__ import annotations

from typing import Any

import pytest

from swiftclaw_local.cli import webhook_texts as texts
from swiftclaw_local.cli.view import View
from tests.unit.api_documents import ALL_NINE, NOON, URL, Json, stats, webhook

VIEW = View(NOON)


def changed(*, pending: int = 0, **changes: Any) -> Json:
    before = webhook(**changes.pop("before", {}))
    return webhook(**changes) | {"before": before, "pending": pending}


def test_a_row_has_counts_and_the_last_answer() -> None:
    assert texts.row(webhook(stats=stats()), VIEW) == (
        "webhook-123",
        URL,
        "agent.invoked,.completed,.failed",
        "enabled",
        "12",
        "1",
        "1",
        "2m ago 500",
    )
    fresh = texts.row(webhook(enabled=False, stats=stats(last_at=None)), VIEW)
    assert (fresh[3], fresh[-1]) == ("disabled", "-")
    refused = texts.row(webhook(stats=stats(last_status=None, last_error="connect_refused")), VIEW)
    assert refused[-1] == "2m ago connection refused"


@pytest.mark.parametrize(
    ("events", "text"),
    [
        (["agent.failed"], "agent.failed"),
        (["agent.failed", "deployment.failed", "deployment.started"], "agent.failed,deployment.failed,.started"),
        (ALL_NINE, "all 9"),
    ],
)
def test_event_types_are_shortened_in_lists(events: list[str], text: str) -> None:
    assert texts.short_events(events) == text


def test_a_new_webhook_shows_its_secret_and_how_to_sign() -> None:
    made = webhook(secret="scsec_3kq0Y")
    assert texts.created_lines(made, first=True, reach="   something listens there") == [
        "Created webhook-123 for my-agent (new agent)",
        f"  url      {URL}   something listens there",
        "  events   agent.invoked, agent.completed, agent.failed",
        "  secret   scsec_3kq0Y  (header X-SwiftClaw-Signature = hex HMAC-SHA256 of the raw body)",
    ]
    second = texts.created_lines(webhook(secret="s", events=ALL_NINE, enabled=False), first=False, reach="")
    assert second[0] == "Created webhook-123 for my-agent   disabled: events wait until webhooks update --enable"
    assert second[2] == "  events   all 9 event types"


def test_a_change_is_shown_old_to_new() -> None:
    new = changed(
        url="https://newurl.com/w", events=["agent.completed", "agent.timeout"], note="public host", pending=1
    )
    assert texts.updated_lines(new, secret=True) == [
        "Updated webhook-123",
        f"  url      {URL} -> https://newurl.com/w   (public host)",
        "  events   - agent.invoked   - agent.failed   + agent.timeout",
        "  secret   changed; every attempt from now on is signed with the new one",
        "1 scheduled delivery now goes to the new URL.",
    ]


@pytest.mark.parametrize(
    ("new", "last"),
    [
        (changed(enabled=False, pending=2), "2 scheduled deliveries wait until it is enabled again."),
        (changed(before={"enabled": False}, pending=1), "1 scheduled delivery goes on."),
        (changed(enabled=False), "  state    enabled -> disabled"),
        (changed(before={"enabled": False}), "  state    disabled -> enabled"),
        (changed(description="new"), '  description   "" -> "new"'),
        (changed(events=ALL_NINE), "  events   all 9 event types"),
        (changed(pending=3), "Nothing changed: webhook-123 was like this before."),
    ],
)
def test_a_change_says_what_becomes_of_scheduled_deliveries(new: Json, last: str) -> None:
    assert texts.updated_lines(new, secret=False)[-1] == last


@pytest.mark.parametrize(
    ("canceled", "deliveries", "line"),
    [
        (
            1,
            14,
            "Deleted webhook-123. 1 scheduled delivery canceled. Its 14 delivery logs are kept"
            " (swiftclaw deliveries list --webhook webhook-123).",
        ),
        (
            0,
            1,
            "Deleted webhook-123. Its 1 delivery log is kept (swiftclaw deliveries list --webhook webhook-123).",
        ),
        (0, 0, "Deleted webhook-123. It had no deliveries."),
    ],
)
def test_a_deletion_says_what_went_and_what_stays(canceled: int, deliveries: int, line: str) -> None:
    assert texts.deleted_line({"id": "webhook-123", "canceled": canceled, "deliveries": deliveries}) == line


def test_the_settings_of_a_webhook_never_hold_its_secret() -> None:
    lines = texts.settings_lines(webhook(description="orders", stats=stats(), secret="scsec_x"), VIEW)
    assert lines == [
        "webhook-123   my-agent   enabled",
        "  about    orders",
        f"  url      {URL}",
        "  events   agent.invoked, agent.completed, agent.failed",
        "  secret   shown by: swiftclaw webhooks secret my-agent webhook-123",
        "  created  11:00:00",
        "  so far   12 delivered, 1 failed, 1 retrying   p50 18 ms, p95 40 ms",
    ]


def test_the_way_to_a_public_host_is_a_flag_of_serve() -> None:
    assert texts.allow_host_hint("https://yourapp.com/x") == (
        "This is a fake platform; to really send there: swiftclaw serve --allow-host yourapp.com"
    )

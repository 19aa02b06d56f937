"""Why a delivery goes on or ended, by SwiftClaw's page. Pure. Source: page, "Retry Logic"."""

from __future__ import annotations

from swiftclaw_local.cause_words import CAUSE_WORDS
from swiftclaw_local.server.models import DeliveryOut


def why(delivery: DeliveryOut) -> str:
    """Return one or two sentences on why it stands as it does."""
    if delivery.state == "canceled":
        return "It was canceled, or its webhook deleted: nothing more is sent."
    if delivery.held:
        return f"{delivery.webhook_id} is disabled: the delivery waits until it is enabled."
    if not delivery.sends:
        return "It has not been sent yet."
    return _answered(delivery.last_status, delivery) if delivery.last_status is not None else _unanswered(delivery)


def _answered(status: int, delivery: DeliveryOut) -> str:
    if 200 <= status <= 299:
        return f"{status} is in 200-299, a success code, so nothing more is sent (page: Retry Logic)."
    if not 500 <= status <= 599:
        redirect = " Redirects are not followed." if 300 <= status <= 399 else ""
        return f"{status} is not in 500-599, the retry codes, so SwiftClaw does not retry it (page: Retry Logic).{redirect}"
    if delivery.state in ("retrying", "sending"):
        return f"{status} is in 500-599, so SwiftClaw retries: after 1m, 5m, 15m, 1h, 6h unless set otherwise (page: Retry Logic)."
    if not delivery.retries_max:
        return (
            f"{status} would be retried, but a {delivery.trigger} is one attempt, unless it was asked for with retries."
        )
    return f"{status} is in 500-599, and all {delivery.retries_max} retries are used up (page: Max Retries)."


def _unanswered(delivery: DeliveryOut) -> str:
    words = CAUSE_WORDS.get(delivery.last_error or "", "no answer")
    if delivery.state in ("retrying", "sending"):
        return f"There was no HTTP answer ({words}), so it is retried as a 5xx is. The page lists codes only."
    if delivery.final_reason in ("blocked", "dropped"):
        return f"It was not sent: {delivery.explanation}."
    return f"There was no HTTP answer ({words}), and no retry is left."

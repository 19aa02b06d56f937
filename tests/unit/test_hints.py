"""A hint is given when its evidence is in the answer, and only then."""

from __future__ import annotations

from typing import Any

import pytest

from swiftclaw_local.server.hints import hints
from swiftclaw_local.server.models import (
    AttemptError,
    AttemptOut,
    DeliveryOut,
    DeliveryState,
    RequestOut,
    ResponseOut,
)
from swiftclaw_local.server.surroundings import Surroundings

NOWHERE = Surroundings(in_container=False, open_ports=())
URL = "http://localhost:8000/webhooks/swiftclaw"


def delivery(
    *,
    status: int | None = None,
    body: str = "",
    headers: list[tuple[str, str]] | None = None,
    error: str | None = None,
    url: str = URL,
    state: DeliveryState = "failed",
    fault: str | None = None,
    sent: bool = True,
) -> DeliveryOut:
    attempt = AttemptOut(
        id="att_1",
        n=1,
        kind="first",
        retry=0,
        scheduled_at=0,
        started_at=0,
        ended_at=0,
        duration_ms=1,
        url=url,
        request=RequestOut(headers={"Host": "localhost"} if sent else {}, bytes=2, sha256=""),
        response=None
        if status is None
        else ResponseOut(status=status, headers=headers or [], body=body, size=len(body), truncated=None),
        error=None if error is None else AttemptError(kind=error, message=error),
        outcome="dead",
        fault=fault,
    )
    shown = {"event_id": "evt_1", "event_type": "agent.failed", "agent": "my-agent", "webhook_id": "webhook-123"}
    nothing = dict.fromkeys(("next_at", "next_in_s", "ended_at", "final_reason", "explanation", "replay_of"))
    nothing |= dict.fromkeys(("last_at", "last_status", "last_error", "last_ms"))
    counts = {"sends": 1, "retries_done": 0, "retries_max": 5, "created_at": 0, "bytes": 2}
    return DeliveryOut.model_validate(
        {"id": "dlv_1", **shown, **nothing, **counts, "url": url, "state": state, "held": False, "trigger": "event"}
        | {"attempts": [attempt]}
    )


FASTAPI_422 = '{"detail":[{"type":"missing","loc":["query","request"],"msg":"Field required"}]}'
NODE_TYPE_ERROR = (
    'TypeError [ERR_INVALID_ARG_TYPE]: The "data" argument must be of type string or an instance of Buffer.'
)


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (delivery(status=422, body=FASTAPI_422), "fastapi_request_annotation", "request: Request"),
        (delivery(status=200, body='[{"error":"Invalid signature"},401]'), "fastapi_tuple_return", "status_code=401"),
        (delivery(status=500, body=NODE_TYPE_ERROR), "express_raw_body", "express.raw({type:'*/*'})"),
        (delivery(status=415), "media_type", "request.get_data()"),
        (
            delivery(status=308, headers=[("Location", f"{URL}/")]),
            "redirect_slash",
            f"answered 308 to {URL}/ . SwiftClaw counts only 200-299 as success",
        ),
        (delivery(status=301, headers=[("location", "/webhooks/swiftclaw/")]), "redirect_slash", "with the slash"),
        (delivery(status=302, headers=[("Location", "https://localhost:8000/login")]), "redirect", "to https://"),
        (
            delivery(status=401, body='{"error":"Invalid signature"}'),
            "signature_rejected",
            "rejected a correctly signed event (401)",
        ),
        (delivery(status=403), "signature_rejected", "swiftclaw webhooks secret my-agent webhook-123"),
        (
            delivery(error="connect_refused"),
            "nothing_listens",
            "http://localhost:8000 refused the connection: nothing listens on port 8000.",
        ),
        (
            delivery(error="connect_refused", state="retrying"),
            "nothing_listens",
            "Retry it now: swiftclaw deliveries replay dlv_1 --now",
        ),
        (
            delivery(error="blocked_host", url="https://yourapp.com/hook"),
            "blocked_host",
            "webhook-123 points to yourapp.com, which is not on this machine or network. Not sent. "
            "This is a fake platform; to really send there: swiftclaw serve --allow-host yourapp.com",
        ),
    ],
)
def test_the_evidence_gives_the_hint(given: DeliveryOut, code: str, said: str) -> None:
    found = hints(given, lambda: NOWHERE)
    assert [hint.code for hint in found] == [code]
    assert said in found[0].text


@pytest.mark.parametrize(
    "given",
    [
        delivery(status=200, body='{"received":true}'),
        delivery(status=200, body="[1,401] and more"),
        delivery(status=200, body='{"codes":[1,401]}'),
        delivery(status=201, body="[]"),
        delivery(status=422, body='{"detail":"no"}'),
        delivery(status=500, body='{"error":"Processing failed"}'),
        delivery(status=302),
        delivery(status=404),
        delivery(error="timeout"),
        delivery(error="dns"),
    ],
)
def test_without_evidence_there_is_none(given: DeliveryOut) -> None:
    assert hints(given, lambda: NOWHERE) == []


def test_another_open_port_is_named_when_there_is_only_one() -> None:
    refused = delivery(error="connect_refused")
    one = hints(refused, lambda: Surroundings(in_container=False, open_ports=(3000,)))
    two = hints(refused, lambda: Surroundings(in_container=False, open_ports=(3000, 5000)))
    assert "nothing listens on port 8000 (port 3000 is open; did you mean that?)" in one[0].text
    assert "did you mean" not in two[0].text


def test_inside_a_container_localhost_is_the_container() -> None:
    inside = Surroundings(in_container=True, open_ports=())
    assert [(hint.code, hint.text) for hint in hints(delivery(error="connect_refused"), lambda: inside)] == [
        (
            "container_localhost",
            'http://localhost:8000 refused the connection from inside a container, where "localhost" is the container. '
            "Use http://host.docker.internal:8000",
        )
    ]
    elsewhere = delivery(error="connect_refused", url="http://receiver:8000/")
    assert [hint.code for hint in hints(elsewhere, lambda: inside)] == ["nothing_listens"]


def test_no_attempt_no_hint() -> None:
    waiting = delivery(status=401)
    waiting.attempts = []
    assert hints(waiting, lambda: NOWHERE) == []


@pytest.mark.parametrize("fault", ["wrong_signature", "missing_signature", "tampered_body"])
def test_a_receiver_that_refuses_what_a_fault_signed_wrongly_is_told_nothing(fault: str) -> None:
    assert hints(delivery(status=401, fault=fault), lambda: NOWHERE) == []


@pytest.mark.parametrize(
    "made_up", [{"error": "connect_refused", "fault": "refused"}, {"status": 415, "fault": "status:415"}]
)
def test_nothing_is_told_of_an_outcome_that_a_fault_made_up(made_up: dict[str, Any]) -> None:
    assert hints(delivery(**made_up, sent=False), lambda: NOWHERE) == []
    assert hints(delivery(**made_up), lambda: NOWHERE) != []

"""What a receiver's author can do about the last attempt, said only when the evidence is in it. Pure.

Each rule looks at one attempt and returns a hint or nothing; nothing is guessed from a status alone that several
mistakes could cause.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from swiftclaw_local.server.models import AttemptOut, DeliveryOut, HintOut
from swiftclaw_local.server.surroundings import Surroundings

_LOOPBACK: Final = re.compile(r"localhost|127(\.\d+){3}|::1")
_TUPLE_RETURN: Final = re.compile(r",\s*([1-5]\d\d)\s*\]\s*$")
_REQUEST_IN_QUERY: Final = re.compile(r'\[\s*"query"\s*,\s*"request"\s*\]')


@dataclass(frozen=True, slots=True)
class Case:
    """The delivery, its last attempt, and a look at the machine it was made on, which is taken only when it is needed."""

    delivery: DeliveryOut
    attempt: AttemptOut
    look: Callable[[], Surroundings]

    @property
    def status(self) -> int | None:
        """The status that came back."""
        return self.attempt.response.status if self.attempt.response else None

    @property
    def body(self) -> str:
        """The body that came back."""
        return self.attempt.response.body if self.attempt.response else ""

    def header(self, name: str) -> str:
        """Return a header of the answer, or nothing."""
        headers = self.attempt.response.headers if self.attempt.response else []
        return next((value for key, value in headers if key.lower() == name), "")


def hints(delivery: DeliveryOut, look: Callable[[], Surroundings]) -> list[HintOut]:
    """Return the hints on a delivery's last attempt; none when it was delivered by a receiver that does it right."""
    if not delivery.attempts:
        return []
    case = Case(delivery, delivery.attempts[-1], look)
    return [hint for rule in _RULES if (hint := rule(case)) is not None]


def _fastapi_query(case: Case) -> HintOut | None:
    if case.status != 422 or not _REQUEST_IN_QUERY.search(case.body):
        return None
    return HintOut(
        code="fastapi_request_annotation",
        text="FastAPI read `request` as a query parameter. Declare it: async def handle_webhook(request: Request)",
    )


def _tuple_return(case: Case) -> HintOut | None:
    match = _TUPLE_RETURN.search(case.body) if case.status == 200 and case.body.lstrip().startswith("[") else None
    if match is None:
        return None
    status = match.group(1)
    return HintOut(
        code="fastapi_tuple_return",
        text=f"The answer is 200 with a list that ends in {status}: FastAPI ignores `return body, {status}`. "
        f"Write return JSONResponse(body, status_code={status}).",
    )


def _express_raw_body(case: Case) -> HintOut | None:
    if "ERR_INVALID_ARG_TYPE" not in case.body and "rawBody" not in case.body:
        return None
    return HintOut(
        code="express_raw_body",
        text="req.rawBody is undefined in Express. Use express.raw({type:'*/*'}) on this route, "
        "or express.json({verify:(req,_res,buf)=>{req.rawBody=buf}}) before it.",
    )


def _flask_media_type(case: Case) -> HintOut | None:
    if case.status != 415:
        return None
    return HintOut(
        code="media_type",
        text="The receiver refuses the media type, and SwiftClaw sends Content-Type: application/json. "
        "In Flask read the raw bytes: request.get_data(), then json.loads(...); not request.form.",
    )


def _redirect(case: Case) -> HintOut | None:
    location = case.header("location")
    if case.status is None or not 300 <= case.status <= 399 or not location:
        return None
    sent, target = urlsplit(case.attempt.url), urlsplit(location)
    final = "SwiftClaw counts only 200-299 as success and the docs do not mention redirects, so this is final."
    same_place = target.netloc in ("", sent.netloc) and target.query == sent.query
    if same_place and target.path.rstrip("/") == sent.path.rstrip("/") and target.path != sent.path:
        slash = "with the slash" if target.path.endswith("/") else "without the slash"
        return HintOut(
            code="redirect_slash",
            text=f"The receiver answered {case.status} to {location} . {final} Register the URL {slash}.",
        )
    return HintOut(
        code="redirect",
        text=f"The receiver answered {case.status} to {location} . {final} Register the URL it points to.",
    )


def _rejected_signature(case: Case) -> HintOut | None:
    if case.status not in (401, 403):
        return None
    agent, webhook_id = case.delivery.agent, case.delivery.webhook_id
    return HintOut(
        code="signature_rejected",
        text=f"The receiver rejected a correctly signed event ({case.status}). 1) Is its secret the one of "
        f"`swiftclaw webhooks secret {agent} {webhook_id}`? 2) Does it hash the raw bytes, before any JSON parsing? "
        "Find out which: swiftclaw verify --body FILE --signature S --secret S",
    )


def _refused(case: Case) -> HintOut | None:
    if case.attempt.error is None or case.attempt.error.kind != "connect_refused":
        return None
    url = urlsplit(case.attempt.url)
    port = url.port or (443 if url.scheme == "https" else 80)
    place = f"{url.scheme}://{url.netloc}"
    around = case.look()
    if around.in_container and _LOOPBACK.fullmatch(url.hostname or ""):
        return HintOut(
            code="container_localhost",
            text=f'{place} refused the connection from inside a container, where "{url.hostname}" is the container. '
            f"Use {url.scheme}://host.docker.internal:{port}",
        )
    text = f"{place} refused the connection: nothing listens on port {port}{_other_port(url.hostname or '', port, around)}."
    return HintOut(code="nothing_listens", text=f"{text}{_what_next(case)}")


def _other_port(host: str, port: int, around: Surroundings) -> str:
    others = [other for other in around.open_ports if other != port]
    if len(others) != 1 or not _LOOPBACK.fullmatch(host):
        return ""
    return f" (port {others[0]} is open; did you mean that?)"


def _what_next(case: Case) -> str:
    if case.delivery.state == "retrying":
        return f" Retry it now: swiftclaw deliveries replay {case.delivery.id} --now"
    return f" Send it again: swiftclaw deliveries replay {case.delivery.id}"


def _blocked(case: Case) -> HintOut | None:
    if case.attempt.error is None or case.attempt.error.kind != "blocked_host":
        return None
    host = urlsplit(case.attempt.url).hostname or ""
    return HintOut(
        code="blocked_host",
        text=f"{case.delivery.webhook_id} points to {host}, which is not on this machine or network. Not sent. "
        f"This is a fake platform; to really send there: swiftclaw serve --allow-host {host}",
    )


_RULES: Final[tuple[Callable[[Case], HintOut | None], ...]] = (
    _fastapi_query,
    _tuple_return,
    _express_raw_body,
    _flask_media_type,
    _redirect,
    _rejected_signature,
    _refused,
    _blocked,
)

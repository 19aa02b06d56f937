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

from swiftclaw_local.certify.hints import Seen, answer_hint
from swiftclaw_local.dispatcher.fault_kinds import WRONGLY_SIGNED
from swiftclaw_local.server.models import AttemptOut, DeliveryOut, HintOut
from swiftclaw_local.server.surroundings import Surroundings

_LOOPBACK: Final = re.compile(r"localhost|127(\.\d+){3}|::1")


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

    def header(self, name: str) -> str:
        """Return a header of the answer, or nothing."""
        headers = self.attempt.response.headers if self.attempt.response else []
        return next((value for key, value in headers if key.lower() == name), "")


def hints(delivery: DeliveryOut, look: Callable[[], Surroundings]) -> list[HintOut]:
    """Return the hints on a delivery's last attempt; none when it was delivered by a receiver that does it right."""
    if not delivery.attempts:
        return []
    case = Case(delivery, delivery.attempts[-1], look)
    if case.attempt.fault is not None and not case.attempt.request.headers:
        return []  # nothing went out: what came of it was made up
    return [hint for rule in _RULES if (hint := rule(case)) is not None]


def _answer(case: Case) -> HintOut | None:
    """Return what the answer itself gives away: the same evidence and words as in a certification."""
    response = case.attempt.response
    if response is None:
        return None
    found = answer_hint(Seen(response.status, response.body, response.headers))
    return None if found is None else HintOut(code=found.code, text=found.text)


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
    if case.status not in (401, 403) or case.attempt.fault in WRONGLY_SIGNED:
        return None
    agent, webhook_id = case.delivery.agent, case.delivery.webhook_id
    return HintOut(
        code="signature_rejected",
        text=f"The receiver rejected a correctly signed event ({case.status}). 1) Is its secret the one of "
        f"`swiftclaw webhooks secret {agent} {webhook_id}`? 2) Does it hash the raw bytes, before any JSON parsing? "
        f"Find out which: swiftclaw certify {agent} {webhook_id} --only SIG-1,RAW",
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
    _answer,
    _redirect,
    _rejected_signature,
    _refused,
    _blocked,
)

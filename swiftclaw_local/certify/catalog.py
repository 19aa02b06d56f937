"""The checks of a certification: their ids, which never change, what each expects, and the page's sentence behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from swiftclaw_local.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Check:
    """One check; `page` is quoted from SwiftClaw's page, empty where it says nothing."""

    id: str
    title: str
    expected: str
    page: str

    @property
    def family(self) -> str:
        """The letters before the dash."""
        return self.id.partition("-")[0]


_SIGNS: Final = "SwiftClaw signs all webhooks with HMAC-SHA256"
_WRONG: Final = 'if not verify_webhook(payload, signature, webhook_secret): return {"error": "Invalid signature"}, 401'
_SUCCESS: Final = "Always return 200-299 status codes for successfully processed webhooks."
_JSON: Final = 'except ValueError: return {"error": "Invalid JSON"}, 400'
_DUPLICATE: Final = 'if event_id in processed_events: return {"status": "already_processed"}'

CHECKS: Final = (
    Check("SIG-1", "valid signature accepted", "2xx", _SIGNS),
    Check("SIG-2", "wrong signature -> 401", "401", _WRONG),
    Check("SIG-3", "missing signature header -> 401", "401", _WRONG),
    Check("SIG-4", "short or garbage signature -> 401", "401", _WRONG),
    Check("SIG-5", "tampered body -> 401", "401", "Always verify webhook signatures"),
    Check("SIG-6", "signed with another secret -> 401", "401", _WRONG),
    Check("RAW-1", "signature over raw bytes (7 body shapes)", "7/7", "payload = await request.body()"),
    Check("JSON-1", "signed invalid JSON -> 400", "400", _JSON),
    Check("JSON-2", "signed JSON that is no object -> 4xx", "4xx", _JSON),
    Check("TYPE-1", "all 9 event types accepted", "9/9", _SUCCESS),
    Check("TYPE-2", "unknown event type accepted", "2xx", _SUCCESS),
    Check("DUP-1", "duplicate acknowledged", "2xx/2xx", _DUPLICATE),
    Check("DUP-2", "duplicate processed once", "1 effect", "Handle duplicate webhooks"),
    Check("DUP-3", "five copies at once, processed once", "1 effect", "Use idempotency keys"),
    Check("ORD-1", "events in swapped order accepted", "2xx/2xx", _SUCCESS),
    Check("TIME-1", "answers in time", "under 1s", "Queue webhooks for background processing"),
    Check("RETRY-1", "reply lost, then 2xx on the retry", "2xx", "SwiftClaw retries failed webhooks"),
    Check("RETRY-2", "your own failure -> 5xx, then success", "5xx, then 2xx", "Return 500 to trigger retry"),
    Check("BIG-1", "1 MB body accepted", "2xx", _SUCCESS),
)
BY_ID: Final = {check.id: check for check in CHECKS}
_NAMES: Final = tuple(BY_ID) + tuple(dict.fromkeys(check.family for check in CHECKS))


def every_check() -> list[dict[str, str]]:
    """Return all checks as JSON has them."""
    return [{"id": c.id, "title": c.title, "expected": c.expected, "page": c.page} for c in CHECKS]


def choose(only: Sequence[str], skip: Sequence[str]) -> tuple[Check, ...]:
    """Return the checks to run: those named in `only` (all if none is), without those in `skip`.

    A name is an id (`SIG-2`) or the letters before the dash (`SIG`), in any case.

    Raises: InvalidInput for a name that no check has, and when nothing is left.
    """
    wanted = named(only, field="only") if only else tuple(BY_ID)
    left_out = named(skip, field="skip")
    chosen = tuple(check for check in CHECKS if check.id in wanted and check.id not in left_out)
    if not chosen:
        raise InvalidInput("only and skip leave no check to run.", hint="All checks: swiftclaw certify --list")
    return chosen


def named(names: Iterable[str], *, field: str) -> tuple[str, ...]:
    """Return the ids of the checks that these names stand for. Raises: InvalidInput."""
    return tuple(check for name in names for check in _ids(name, field=field))


def _ids(name: str, *, field: str) -> list[str]:
    found = [check.id for check in CHECKS if name.upper() in (check.id, check.family)]
    if found:
        return found
    close = get_close_matches(name.upper(), _NAMES, n=1)
    guess = f' Did you mean "{close[0]}"?' if close else ""
    raise InvalidInput(
        f'{field} names "{name[:40]}", which is no check.{guess}',
        hint="Ids and families: SIG-1 or SIG. All: swiftclaw certify --list",
        field=field,
    )

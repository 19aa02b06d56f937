"""JSON that means harm: nested a thousand deep, numbers beyond all bounds, halves of pairs, doubled keys, lies about the charset.

Where JSON is well formed it is put into a body that is right otherwise, so that it comes as far as it can.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

ROUTES: Final = (
    ("POST", "/v1/agents/my-agent/events"),
    ("POST", "/v1/agents/my-agent/webhooks"),
    ("PATCH", "/v1/agents/my-agent/webhooks/webhook-123"),
    ("POST", "/v1/agents/my-agent/webhooks/webhook-123/test"),
    ("POST", "/v1/alerts"),
    ("POST", "/_local/agents/my-agent/runs"),
    ("POST", "/_local/clock/advance"),
    ("POST", "/_local/clock/to"),
    ("POST", "/_local/prune"),
    ("POST", "/_local/import"),
    ("POST", "/_local/verify"),
)
MEGABYTES: Final = 50
_RIGHT: Final[dict[str, bytes]] = {
    "events": b'{"type":"agent.failed","data":%b}',
    "webhooks": b'{"url":"http://127.0.0.1:9/","events":["agent.failed"],"description":%b}',
    "webhook-123": b'{"description":%b}',
    "alerts": b'{"agent":"my-agent","metric":"webhook-failures","threshold":%b,"window":"1h"}',
    "runs": b'{"ending":%b}',
    "advance": b'{"by":%b}',
    "to": b'{"at":%b}',
    "prune": b'{"older_than":%b}',
    "import": b'{"swiftclaw_recording":1}\n{"agent":"my-agent","event":{"id":"e","type":"t","created":1,"data":%b}}',
    "verify": b'{"body_base64":%b,"signature":"0","secret":"s"}',
    "test": b'{"type":"agent.failed","retry":%b}',
}
_TYPES: Final = (
    "application/json",
    "application/json; charset=utf-16",
    "application/json; charset=\x7f",
    "text/plain; charset=latin-1",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "x",
)


@dataclass(frozen=True, slots=True)
class Hostile:
    """One request."""

    method: str
    path: str
    body: bytes
    type: str


def _nested(depth: int, opening: bytes, closing: bytes) -> bytes:
    return opening * depth + b"0" + closing * depth


_text: Final = st.text(st.characters(exclude_categories=()), max_size=20)
_values: Final = st.one_of(
    st.builds(_nested, st.sampled_from([1, 63, 64, 65, 1000, 200_000]), st.just(b"["), st.just(b"]")),
    st.builds(_nested, st.sampled_from([1, 63, 64, 65, 1000, 100_000]), st.just(b'{"a":'), st.just(b"}")),
    st.builds(lambda depth: b"[" * depth, st.sampled_from([1, 1000, 500_000])),
    st.sampled_from([b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1e-999", b"-0", b"-0.0", b"1E400", b"01"]),
    st.integers(0, 4000).map(lambda digits: b"9" * (digits + 1)),
    st.integers(-(2**70), 2**70).map(lambda number: str(number).encode()),
    st.sampled_from([b'"\\ud800"', b'"\\udfff\\ud800"', b'{"\\ud800":1}', b'"\xed\xa0\x80"', b'"\\u0000"', b'"\x00"', b'"\\ud83d\\ude00"']),
    st.sampled_from([b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1}}', b'{"\\u0061":1,"a":2}', b'{"":1,"":2}']),
    st.sampled_from([b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b'"\xc3\x28"', b"'a'", b"{a:1}", b"[1,]", b"/**/1", b"undefined", b""]),
    _text.map(lambda text: json.dumps(text).encode("utf-8", "surrogatepass")),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | _text,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_text, inner, max_size=5),
        max_leaves=20,
    ).map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=200),
)  # fmt: skip


@st.composite
def hostile(draw: st.DrawFn) -> Hostile:
    """Return a request: a value that means harm, alone or in its place in a right body."""
    method, path = draw(st.sampled_from(ROUTES))
    value = draw(_values)
    alone = draw(st.booleans())
    body = value if alone else _RIGHT[path.rpartition("/")[2]].replace(b"%b", value)
    return Hostile(method, path, body, draw(st.sampled_from(_TYPES)))


class Sending:
    """Sends requests to a server and counts its answers; `wrong` are those of 5xx, and what was no answer at all."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._client: aiohttp.ClientSession | None = None
        self.answers: Counter[int] = Counter()
        self.wrong: list[str] = []

    def send(self, request: Hostile) -> None:
        """Send one."""
        status = self._loop.run_until_complete(self._sent(request))
        self.answers[status] += 1
        if status == 0 or status >= 500:
            self.wrong.append(f"{status} {request.method} {request.path} {request.type} {request.body[:200]!r}")

    async def _sent(self, request: Hostile) -> int:
        if self._client is None:
            self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60))
        headers = {"Content-Type": request.type.replace("\x7f", "%7f")}
        try:
            async with self._client.request(
                request.method, self._url + request.path, data=io.BytesIO(request.body), headers=headers
            ) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            return 413 if len(request.body) > 1024 * 1024 else 0  # cut off before it had all been sent

    def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            self._loop.run_until_complete(self._client.close())
        self._loop.close()


def hostile_json(url: str, *, count: int, with_seed: int, large: int = len(ROUTES)) -> Sending:
    """Send so many requests, and one of 50 MB to each of `large` routes; return what came back."""
    sending = Sending(url)
    try:
        for method, path in ROUTES[:large]:
            sending.send(Hostile(method, path, b'{"a":"' + b"a" * (MEGABYTES * 1_000_000) + b'"}', _TYPES[0]))
        _tried(sending.send, count=count, with_seed=with_seed)
    finally:
        sending.close()
    return sending


def _tried(send: Callable[[Hostile], Any], *, count: int, with_seed: int) -> None:
    @seed(with_seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(hostile())
    def each(request: Hostile) -> None:
        send(request)

    each()

"""The event stream: what happens is told as it happens, and nothing that the log holds is missed by who comes back."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from swiftclaw_local.server import stream as hub
from swiftclaw_local.server import stream_listener, stream_replays
from swiftclaw_local.server.routes import stream as route
from swiftclaw_local.server.routes.stream import STREAM
from swiftclaw_local.server.stream import Stream
from swiftclaw_local.server.stream_listener import Listener
from swiftclaw_local.settings import Settings
from swiftclaw_local.storage.records import LogEntry
from tests.acceptance.api import Api
from tests.acceptance.conftest import OpenApi
from tests.acceptance.streaming import LINES, attempts_told, streaming


def stream_of(api: Api) -> Stream:
    assert api.client.app is not None
    return api.client.app[STREAM]


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


async def test_an_attempt_is_told_with_all_that_a_line_needs(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(503)
    async with streaming(api) as reading:
        opened = await reading.next()
        delivery = await api.emitted()
        told = await reading.next("attempt")
    assert (opened["kind"], opened["back_filled"], opened["id"]) == ("open", 0, "0-0")
    now = int(api.platform.clock.now().timestamp())
    shown = {name: told[name] for name in told if name not in ("attempt", "t", "event", "url")}
    assert shown == {
        "id": "1-0",
        "virtual": True,
        "kind": "attempt",
        "delivery": delivery["id"],
        "type": "agent.failed",
        "agent": "my-agent",
        "webhook": "webhook-123",
        "trigger": "event",
        "replay_of": None,
        "n": 1,
        "retry": 0,
        "retries_max": 5,
        "status": 503,
        "error": None,
        "ms": told["ms"],
        "outcome": "retrying",
        "state": "retrying",
        "reason": None,
        "next_at": now + 60,
        "next_in_s": 60,
        "answer": "{}",
        "hints": [],
        "fault": None,
    }
    assert told["t"] == api.platform.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")


async def test_browsers_get_server_sent_events_with_ids_and_kinds(api: Api) -> None:
    await api.webhook()
    async with api.client.get("/v1/stream", headers={"Accept": "text/event-stream"}) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        await api.emitted()
        blocks = [(await answer.content.readuntil(b"\n\n")).decode().strip().split("\n") for _ in range(2)]
    assert blocks[0] == ["retry: 1000"]
    id_, event, data = blocks[1]
    assert (id_, event, json.loads(data.removeprefix("data: "))["kind"]) == ("id: 0-0", "event: open", "open")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "text/event-stream"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("text/event-stream, application/x-ndjson;q=0.5", "text/event-stream"),
    ],
)
async def test_the_form_is_the_one_that_is_asked_for(api: Api, accept: str, kind: str) -> None:
    async with api.client.get("/v1/stream", headers={"Accept": accept}) as answer:
        assert answer.headers["Content-Type"] == kind


async def test_who_comes_back_with_an_id_is_told_what_was_missed_and_then_what_happens(api: Api) -> None:
    await api.webhook()
    async with streaming(api) as reading:
        await api.emitted()
        seen = await reading.next("attempt")
    for _ in range(3):
        await api.emitted()
    async with streaming(api, Last_Event_ID=seen["id"]) as reading:
        missed = await reading.until("open")
        await api.emitted()
        (live,) = await attempts_told(reading, 1)
    assert [told["id"] for told in [*missed, live]] == ["2-0", "3-0", "4-0", "4-0", "5-0"]
    assert missed[-1]["back_filled"] == 3


async def test_what_was_missed_comes_page_after_page(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "PAGE", 2)
    sizes, log_page = list[int](), api.platform.reads.log_page

    async def noted(after: int, until: int, *, limit: int) -> list[LogEntry]:
        page = await log_page(after, until, limit=limit)
        sizes.append(len(page))
        return page

    monkeypatch.setattr(api.platform.reads, "log_page", noted)
    await api.webhook()
    for _ in range(7):
        await api.emitted()
    async with streaming(api, "?since=1h%20ago") as reading:
        missed = await reading.until("open")
        await api.emitted()
        (live,) = await attempts_told(reading, 1)
    assert [told["id"] for told in [*missed, live]] == [f"{n}-0" for n in (1, 2, 3, 4, 5, 6, 7, 7, 8)]
    assert sizes == [2, 2, 2, 1]


async def test_an_id_of_a_log_that_was_forgotten_begins_at_its_beginning(api: Api) -> None:
    await api.webhook()
    await api.emitted()
    async with streaming(api, Last_Event_ID="999-0") as reading:
        assert [told["kind"] for told in await reading.until("open")] == ["attempt", "open"]


async def test_a_stream_that_does_not_follow_ends_after_what_the_log_holds(api: Api) -> None:
    await api.webhook()
    await api.emitted()
    async with asyncio.timeout(10), api.client.get("/v1/stream?since=1h%20ago&follow=0", headers=LINES) as answer:
        told = [json.loads(line) for line in (await answer.read()).splitlines()]
    assert [one["kind"] for one in told] == ["attempt", "open"]
    assert stream_of(api).listeners == 0


async def test_a_stream_goes_on_over_a_reset(api: Api) -> None:
    await api.webhook()
    await api.emitted()
    await api.emitted()
    async with streaming(api, "?types=attempt") as reading:
        await reading.next("open")
        await api.post("/_local/reset", {"keep": ["webhooks"]})
        await api.emitted()
        assert (await reading.next())["id"] == "1-0"


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("?types=clock,fault", {"clock", "fault"}),
        ("?types=attempt", {"attempt"}),
        ("", {"attempt", "delivery", "clock", "fault", "alert"}),
    ],
)
async def test_only_the_kinds_that_are_asked_for_are_told(api: Api, query: str, kinds: set[str]) -> None:
    await api.webhook()
    api.receiver.respond(500)
    async with streaming(api, query) as reading:
        await reading.next("open")
        await api.post(
            "/v1/alerts", {"agent": "my-agent", "metric": "webhook-failures", "threshold": 1, "window": "1h"}
        )
        delivery = await api.emitted()
        await api.post(f"/v1/deliveries/{delivery['id']}/cancel")
        await api.post("/_local/faults", {"kind": "duplicate"})
        await api.post("/_local/clock/advance", {"by": "1m"})
        told = {(await reading.next())["kind"] for _ in range(len(kinds))}
        while told < kinds:
            told.add((await reading.next())["kind"])
    assert told == kinds


async def test_filters_leave_out_what_is_of_others(api: Api) -> None:
    await api.webhook()
    await api.webhook("other")
    api.receiver.respond(200, 500, 200, 404)
    wanted = {
        "?agent=other": [3, 4],
        "?webhook=webhook-123": [1, 2],
        "?failed=1": [2, 4],
        "?event=agent.completed": [3],
        "?event=evt_mine": [2],
    }
    await api.emitted()
    await api.emitted(id="evt_mine")
    await api.emitted("agent.completed", agent="other")
    await api.emitted(agent="other")
    for query, expected in wanted.items():
        async with streaming(api, query, Last_Event_ID="0-0") as reading:
            told = [one for one in await reading.until("open") if one["kind"] == "attempt"]
        assert (query, [int(one["id"].partition("-")[0]) for one in told]) == (query, expected)


async def test_an_alert_a_fault_and_the_clock_are_told(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(500)
    rule = {"agent": "my-agent", "metric": "webhook-failures", "threshold": 1, "window": "1h"}
    await api.post("/v1/alerts", rule)
    async with streaming(api) as reading:
        await reading.next("open")
        await api.post("/_local/faults", {"kind": "duplicate"})
        armed = await reading.next("fault")
        await api.emitted()
        both = [await reading.next("fault", "alert") for _ in range(2)]
        alert, met = sorted(both, key=lambda one: one["kind"])
        await api.call("DELETE", "/_local/faults")
        gone = await reading.next("fault")
        await api.post("/_local/clock/resume")
        clock = await reading.next("clock")
    assert [(one["fault"], one["change"], one["fired"], one["left"]) for one in (armed, met, gone)] == [
        ("fault-1", "armed", 0, 1),
        ("fault-1", "met", 1, 0),
        ("fault-1", "disarmed", 1, 0),
    ]
    told = (alert["alert"], alert["state"], alert["count"], alert["agent"], alert["threshold"], alert["window"])
    assert told == ("alert-1", "firing", 1, "my-agent", 1, "1h")
    assert (clock["mode"], clock["rate"]) == ("real", 1)


async def test_what_alerts_did_is_told_again_to_who_comes_back(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(500)
    await api.post("/v1/alerts", {"agent": "my-agent", "metric": "webhook-failures", "threshold": 1, "window": "1h"})
    async with streaming(api) as reading:
        await api.emitted()
        alert = await reading.next("alert")
        await api.emitted()
    async with streaming(api, "?since=1h%20ago") as reading:
        assert [one["kind"] for one in await reading.until("open")] == ["attempt", "attempt", "alert", "open"]
    async with streaming(api, Last_Event_ID=alert["id"]) as reading:
        assert [one["kind"] for one in await reading.until("open")] == ["attempt", "open"]


async def test_a_delivery_is_told_before_its_receiver_has_answered(api: Api) -> None:
    await api.webhook()
    api.receiver.hold()
    async with streaming(api) as reading:
        await api.post("/v1/agents/my-agent/events", {"type": "agent.failed"})
        told = await reading.next("delivery")
        api.receiver.release()
        assert (await reading.next("attempt"))["delivery"] == told["delivery"]
    assert (told["state"], told["sends"], told["type"]) == ("sending", 0, "agent.failed")


@pytest.mark.parametrize(
    ("query", "header", "code", "said"),
    [
        ("?types=attempts", None, "invalid_input", 'There is no "attempts" to be told.'),
        ("?since=soon", None, "invalid_time", "soon"),
        ("", "yesterday", "invalid_cursor", 'Last-Event-ID "yesterday" is no id of this stream.'),
        ("?type=attempt", None, "invalid_input", 'There is no "type" in the query. Did you mean "types"?'),
    ],
)
async def test_what_cannot_be_asked_is_refused(api: Api, query: str, header: str | None, code: str, said: str) -> None:
    headers = {} if header is None else {"Last_Event_ID": header}
    async with asyncio.timeout(20):  # a stream that opens has no end
        status, got, message = await api.refused("GET", f"/v1/stream{query}", **headers)
    assert (status, got) == (400, code)
    assert said in message


async def test_nothing_is_read_while_nobody_listens(api: Api) -> None:
    await api.webhook()
    async with streaming(api) as reading:
        await reading.next("open")
        assert (stream_of(api).listeners, api.platform.watch.observed) == (1, True)
    await until(lambda: stream_of(api).listeners == 0)
    await until(lambda: not api.platform.watch.observed)
    assert stream_of(api)._task is None


async def test_a_silent_stream_shows_that_it_lives(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "HEARTBEAT_S", 0.02)
    monkeypatch.setattr(route, "_LOOK_S", 0.01)
    async with streaming(api) as reading:
        await reading.next("open")
        assert await reading.answer.content.readline() == b"\n"
    async with api.client.get("/v1/stream") as answer:
        async with asyncio.timeout(5):
            while await answer.content.readline() != b": still here\n":
                pass


async def test_the_last_message_says_that_the_server_stops_and_where_to_go_on(api: Api) -> None:
    await api.webhook()
    async with streaming(api) as reading:
        await api.emitted()
        await reading.next("attempt")
        await stream_of(api).close()
        end = await reading.next()
        assert await reading.answer.content.read() == b""
    assert (end["kind"], end["reason"], end["id"]) == ("end", "stopping", "1-0")
    assert (await api.refused("GET", "/v1/stream"))[:2] == (503, "server_stopping")


async def test_there_is_a_most_of_streams(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MOST_LISTENERS", 1)
    async with streaming(api) as reading, asyncio.timeout(20):
        await reading.next("open")
        assert (await api.refused("GET", "/v1/stream"))[:2] == (429, "too_many_streams")


# --- readers that do not read ----------------------------------------------------------------------------------


async def unread(api: Api) -> tuple[socket.socket, Listener]:
    """Open a stream with little room for what is not read, and read nothing; return it as both sides have it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, ("127.0.0.1", api.client.port))
    request = f"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{api.client.port}\r\nAccept: application/x-ndjson\r\n\r\n"
    await loop.sock_sendall(connection, request.encode())
    await until(lambda: stream_of(api).listeners == 1)
    return connection, next(iter(stream_of(api)._listeners))


async def flood(api: Api, listener: Listener) -> None:
    """Have more told than sockets hold, until it is given up."""
    for _ in range(200):
        if listener.ended:
            return
        emits = [api.post("/v1/agents/my-agent/events", {"type": "agent.failed"}) for _ in range(50)]
        await asyncio.gather(*emits)
    raise AssertionError("everything found room")


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_listener, "MOST_BYTES", 64 * 1024)


@pytest.mark.usefixtures("little_room")
async def test_a_reader_that_does_not_read_is_dropped_and_holds_up_nobody(api: Api) -> None:
    await api.webhook(url="http://127.0.0.1:9/" + "x" * 2000)
    connection, listener = await unread(api)
    async with streaming(api, "?types=clock") as other:
        await other.next("open")
        await flood(api, listener)
        await until(lambda: stream_of(api).listeners == 1)
        await api.post("/_local/clock/advance", {"by": "1m"})
        assert (await other.next())["kind"] == "clock"
    connection.close()


@pytest.mark.usefixtures("little_room")
async def test_a_reader_that_was_too_slow_is_told_so_and_misses_nothing_when_it_comes_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "LAST_WORDS_S", 10)
    await api.webhook(url="http://127.0.0.1:9/" + "x" * 2000)
    connection, listener = await unread(api)
    await flood(api, listener)
    loop, got = asyncio.get_running_loop(), b""
    async with asyncio.timeout(10):
        while not got.endswith(b"0\r\n\r\n"):
            got += await loop.sock_recv(connection, 1 << 20)
    connection.close()
    last = json.loads(got[got.rindex(b'{"id"') :].partition(b"\n")[0])
    assert (last["kind"], last["reason"]) == ("end", "too_slow")
    seen = [line for line in got.split(b"\n") if b'"kind":"attempt"' in line]
    last_seen = last["id"]
    assert json.loads(b"{" + seen[-1].partition(b"{")[2])["id"] == last_seen
    newest = (await api.platform.reads.log_head()).seq
    async with streaming(api, Last_Event_ID=last_seen) as reading:
        rest = await reading.until("open")
    assert rest[-1]["back_filled"] == newest - int(last_seen.partition("-")[0]) > 0


async def test_many_streams_are_told_the_same(open_api: OpenApi) -> None:
    api = await open_api(Settings(ephemeral=True))
    await api.webhook()
    async with streaming(api) as one, streaming(api) as two:
        await one.next("open")
        await two.next("open")
        for _ in range(20):
            await api.emitted()
        assert await attempts_told(one, 20) == await attempts_told(two, 20)


async def test_a_replay_is_told_when_it_begins_while_it_runs_and_when_it_stands_still(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_replays, "LOOK_S", 0.0)
    await api.webhook()
    api.receiver.respond(404)
    for _ in range(4):
        await api.emitted()
    await replayed(api, 1)  # before anybody listens: never told
    while (await api.get("/v1/replays/rpl_1"))[1]["state"] == "running":  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0.01)
    api.receiver.hold()
    async with streaming(api, "?types=replay&agent=my-agent") as reading:
        await reading.next("open")
        await replayed(api, 4)
        told = [await reading.next()]
        api.receiver.release()
        while told[-1]["state"] == "running":
            told.append(await reading.next())
        await api.post("/_local/reset", {"keep": ["webhooks"]})
        await api.emitted()
        await replayed(api, 1)
        again = await reading.next()
    assert (told[0]["replay"], told[0]["total"], told[0]["left"] + told[0]["sending"]) == ("rpl_2", 3, 3)
    assert (told[-1]["state"], told[-1]["reason"], told[-1]["still_failing"]) == ("stopped", "canary", 1)
    assert (again["replay"], again["total"]) == ("rpl_1", 1)


async def replayed(api: Api, count: int) -> None:
    """Begin a replay of the newest so many that failed."""
    _, listed = await api.get(f"/v1/deliveries?failed=1&limit={count}")
    asked = {"deliveries": [one["id"] for one in listed["data"]], "rate": 10_000}
    status, replay = await api.post("/v1/replays", asked)
    assert status == 201, replay

"""What was announced goes into a file and back: the same events byte for byte, all of them or none, and no secret with them."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientPayloadError

from swiftclaw_local.errors import StorageUnavailable
from swiftclaw_local.platform.recordings import Recordings
from swiftclaw_local.server import spool
from tests.acceptance.api import Api
from tests.acceptance.golden import assert_golden
from tests.acceptance.running import SECRET, PageReceiver, RunningServer, serving
from tests.acceptance.test_commands_data import created, transcript

HEADER = b'{"swiftclaw_recording":1}\n'


async def exported(api: Api, query: str = "") -> bytes:
    async with api.client.get(f"/_local/export{query}") as answer:
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        return await answer.read()


def lines(recording: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in recording.splitlines()]


async def bodies(api: Api) -> dict[str, bytes]:
    page = await api.platform.reads.announced(limit=1000)
    return {one.event.id: one.event.body for one in page.rows}


async def emit_some(api: Api, count: int = 3) -> None:
    await api.webhook(secret="scsec_a_secret_of_ours")
    for number in range(count):
        await api.emitted("agent.completed", data={"text": "Grüße\u2028🦞", "n": 1e16, "number": number})
    await api.post("/v1/agents/my-agent/events", {"type": "system.incident"})


# --- the API ----------------------------------------------------------------------------------------------------


async def test_recorded_forgotten_and_announced_again_with_their_ids_events_are_the_same_bytes(api: Api) -> None:
    await emit_some(api)
    before, recording = await bodies(api), await exported(api)
    await api.post("/_local/reset", {"keep": ["webhooks"]})
    status, told = await api.post("/_local/import?keep_ids=1&wait=first", recording)
    assert (status, told["events"], told["known"], told["states"]) == (200, 4, 0, {"delivered": 4})
    assert await bodies(api) == before
    assert [request.body for request in api.receiver.received[4:]] == list(before.values())


async def test_with_fresh_ids_they_are_new_events_of_now_with_the_same_data(api: Api) -> None:
    await emit_some(api)
    recording = await exported(api)
    await api.post("/_local/clock/advance", {"by": "1h"})
    _, told = await api.post("/_local/import?wait=first", recording)
    events = [json.loads(body) for body in (await bodies(api)).values()]
    assert [(e["type"], e["data"]) for e in events[:4]] == [(e["type"], e["data"]) for e in events[4:]]
    assert [e["created"] for e in events[4:]] == [events[0]["created"] + 3600] * 4
    assert (len({e["id"] for e in events}), told["deliveries"]) == (8, 4)


async def test_the_same_once_more_with_its_ids_is_known_and_not_sent_again(api: Api) -> None:
    await emit_some(api)
    sent = len(api.receiver.received)
    _, told = await api.post("/_local/import?keep_ids=1&wait=first", await exported(api))
    assert (told["events"], told["known"], told["deliveries"], len(api.receiver.received)) == (4, 4, 0, sent)


async def test_no_secret_is_in_a_recording(api: Api) -> None:
    await emit_some(api)
    await api.post("/v1/agents/other/webhooks", {"url": "http://127.0.0.1:9/hook?token=hush"})
    secrets = [
        (await api.get(f"/v1/agents/{agent}/webhooks/{id}/secret"))[1]["secret"]
        for agent, id in (("my-agent", "webhook-123"), ("other", "webhook-124"))
    ]
    recording = await exported(api)
    assert [word for word in [*secrets, "hush"] if word.encode() in recording] == []
    assert [line["webhook"]["url"] for line in lines(recording) if "webhook" in line][1] == "http://127.0.0.1:9/hook"


@pytest.mark.parametrize(
    ("bad", "code", "told"),
    [
        (b'{"at":1,"agent":"a","evnt":{}}\n', "invalid_recording", "the recording: line 4, column 21"),
        (b'{"swiftclaw_recording":1}\n', "invalid_recording", "a second beginning"),
        (b"{", "invalid_recording", "line 4, column 2"),
        (
            b'{"agent":"a","event":{"id":"evt_1","type":"agent.failed","created":1,"data":{}}}',
            "event_id_taken",
            "line 4",
        ),
        (
            b'{"agent":"b","event":{"id":"evt_0","type":"agent.failed","created":1,"data":{"x":1}}}',
            "event_id_taken",
            "already",
        ),
    ],
)
async def test_when_its_last_line_is_wrong_nothing_of_it_is_announced(
    api: Api, bad: bytes, code: str, told: str
) -> None:
    await api.webhook(agent="b")
    await api.emitted("agent.failed", agent="b", id="evt_0")
    good = [
        {"agent": "b", "event": {"id": f"evt_{n}", "type": "agent.failed", "created": 1, "data": {}}} for n in (1, 2)
    ]
    recording = HEADER + b"".join(json.dumps(line).encode() + b"\n" for line in good) + bad
    refused = await api.refused("POST", "/_local/import?keep_ids=1", recording)
    assert (refused[1], told in refused[2]) == (code, True), refused
    assert list(await bodies(api)) == ["evt_0"]


async def test_a_newer_recording_an_empty_one_and_what_is_too_large_are_refused(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MOST_EVENTS", 1)
    monkeypatch.setattr(spool, "MOST_BYTES", 1000)
    event = b'{"agent":"a","event":{"id":"evt_1","type":"agent.failed","created":1,"data":{}}}\n'
    asked = [b'{"swiftclaw_recording":2}', b"", HEADER + event * 2, HEADER + b" " * 1000]
    refused = [(await api.refused("POST", "/_local/import", body))[:2] for body in asked]
    assert refused == [(400, "recording_too_new"), (400, "invalid_recording"), *[(413, "body_too_large")] * 2]
    assert await bodies(api) == {}


async def test_to_one_webhook_they_go_whatever_agent_they_are_of(api: Api) -> None:
    await emit_some(api, 1)
    await api.webhook("other")
    _, told = await api.post("/_local/import?webhook=webhook-124&wait=first", await exported(api))
    shown = [(await api.get(f"/v1/deliveries/{name}"))[1] for name in told["delivery_ids"]]
    assert [(one["webhook_id"], one["agent"]) for one in shown] == [("webhook-124", "other")] * 2
    assert (await api.refused("POST", "/_local/import?webhook=webhook-9", HEADER))[:2] == (404, "unknown_webhook")


async def test_a_recording_holds_what_was_announced_since_it_began_also_over_a_reset(api: Api) -> None:
    assert (await api.refused("GET", "/_local/export?recording=1"))[:2] == (409, "no_recording")
    await emit_some(api, 1)
    assert (await api.post("/_local/recording", {"file": "f"}))[1]["events"] == 0
    assert (await api.refused("POST", "/_local/recording", {"file": "g"}))[:2] == (409, "recording_runs")
    await api.emitted("agent.timeout")
    assert [line["event"]["type"] for line in lines(await exported(api, "?recording=1"))[2:]] == ["agent.timeout"]
    await api.post("/_local/reset", {"keep": ["webhooks"]})
    for _ in range(3):  # more than there were before
        await api.emitted("agent.invoked")
    assert [line["event"]["type"] for line in lines(await exported(api, "?recording=1"))[2:]] == ["agent.invoked"] * 3
    assert (await api.call("DELETE", "/_local/recording"))[1]["events"] == 3
    assert (await api.refused("GET", "/_local/recording"))[:2] == (409, "no_recording")


async def test_a_recording_goes_on_when_everything_before_it_was_pruned(api: Api) -> None:
    await emit_some(api, 2)
    await api.post("/_local/recording", {"file": "f"})
    await api.post("/_local/clock/advance", {"by": "2d"})
    await api.post("/_local/prune", {"older_than": "1d"})
    await api.emitted("agent.invoked")
    assert (await api.get("/_local/recording"))[1]["events"] == 1


async def test_filters_choose_what_is_exported(api: Api) -> None:
    await emit_some(api, 1)
    await api.post("/_local/clock/advance", {"by": "1h"})
    await api.emitted("agent.failed")
    chosen = [
        len([x for x in lines(await exported(api, f"?{query}")) if "event" in x])
        for query in (
            "type=agent.failed",
            "agent=my-agent",
            "agent=other",
            "since=30m%20ago",
            "",
        )
    ]
    assert chosen == [1, 2, 0, 1, 3]


async def test_an_export_that_breaks_off_is_not_taken_for_all(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await emit_some(api, 1)
    announced = Recordings.announced

    async def break_off(self: Recordings, **how: Any) -> Any:
        async for one in announced(self, **how):
            for _ in range(1000):
                yield one
            raise StorageUnavailable

    monkeypatch.setattr(Recordings, "announced", break_off)
    with pytest.raises(ClientPayloadError):
        await exported(api)


# --- the commands -------------------------------------------------------------------------------------------------


def test_a_recording_as_people_make_and_play_it(server: RunningServer, receiver: PageReceiver) -> None:
    created(server, receiver.url)
    seen = transcript(
        server,
        "record show",
        "record start traffic.ndjson",
        "record start other.ndjson",
        "trigger agent.completed",
        "record show",
        "record save copy.ndjson",
        "record save copy.ndjson",
        "clock advance 1h",
        "trigger agent.failed",
        "record stop",
        "play traffic.ndjson",
        "play traffic.ndjson --keep-ids",
        "reset --keep webhooks --yes",
        "play traffic.ndjson --keep-ids --speed 1x",
        "events export --type agent.failed --output failed.ndjson",
        "events export --output failed.ndjson",
        "events export --output nowhere/failed.ndjson",
        "play traffic.ndjson --speed fast",
        "play traffic.ndjson --webhook 123",
        "play attacker --keep-ids",
        "play traffic.ndjson --to webhook-9",
        "play none.ndjson",
    )
    assert_golden("recordings", seen, names={str(server.folder): "<folder>"})
    modes = {
        stat.S_IMODE((server.folder / name).stat().st_mode)
        for name in ("traffic.ndjson", "copy.ndjson", "failed.ndjson")
    }
    assert modes == {0o600}
    assert list(server.folder.glob(".*ndjson*")) == []


def test_a_file_edited_by_hand_is_told_by_its_name_and_nothing_is_announced(
    server: RunningServer, receiver: PageReceiver
) -> None:
    created(server, receiver.url)
    server.command("trigger", "agent.completed")
    recording = server.command("events", "export").stdout
    (server.folder / "edited.ndjson").write_text(
        recording + recording.splitlines()[-1].replace('"agent.completed"', "agent.completed")
    )
    before = len(receiver.received)
    done = server.command("play", "edited.ndjson")
    assert (done.returncode, len(receiver.received)) == (2, before)
    assert done.stderr.startswith("error: edited.ndjson: line 4, column ")


def test_at_its_own_pace_a_recording_moves_a_frozen_clock_and_waits_for_one_that_runs(
    tmp_path: Path, receiver: PageReceiver
) -> None:
    event = '{"at":%d,"agent":"my-agent","event":{"id":"evt_%d","type":"agent.invoked","created":1,"data":{}}}\n'
    (tmp_path / "hour.ndjson").write_bytes(HEADER + "".join(event % (n * 3600, n) for n in range(3)).encode())
    for mode, speed, between, slack in (("manual", "10x", 360, 0), ("x3600", "1x", 3600, 1800)):
        with serving(tmp_path, "--ephemeral", "--clock", mode, "--secret", SECRET) as server:
            created(server, receiver.url)
            assert server.command("play", "hour.ndjson", "--speed", speed).returncode == 0
            at = [one["created"] for one in server.api("GET", "/v1/events")[1]["data"]]
            assert all(abs(at[n] - at[n + 1] - between) <= slack for n in (0, 1)), at


def test_a_url_that_no_webhook_has_is_registered_and_gets_it_all(server: RunningServer, receiver: PageReceiver) -> None:
    created(server, "http://127.0.0.1:9/hook")
    server.command("trigger", "agent.completed", "--no-wait")
    (server.folder / "one.ndjson").write_text(server.command("events", "export").stdout)
    codes = [server.command("play", "one.ndjson", "--to", receiver.url).returncode for _ in range(2)]
    assert (codes, len(receiver.received), len(server.api("GET", "/v1/webhooks")[1]["data"])) == ([0, 0], 2, 2)


def test_when_nobody_takes_them_it_says_who_did(server: RunningServer, receiver: PageReceiver) -> None:
    created(server, receiver.url)
    server.command("trigger", "agent.completed")
    (server.folder / "one.ndjson").write_text(server.command("events", "export").stdout)
    server.command("webhooks", "delete", "my-agent", "webhook-123")
    done = server.command("play", "one.ndjson")
    assert (done.returncode, f"There was: webhook-123 of my-agent -> {receiver.url}" in done.stderr) == (1, True)


def test_events_of_a_later_time_wait_for_the_clock_and_it_is_said(
    server: RunningServer, receiver: PageReceiver
) -> None:
    created(server, receiver.url)
    server.command("clock", "advance", "1h")
    server.command("trigger", "agent.completed")
    (server.folder / "later.ndjson").write_text(server.command("events", "export").stdout)
    server.command("reset", "--keep", "webhooks", "--yes")
    done = server.command("play", "later.ndjson", "--keep-ids")
    assert (done.returncode, len(receiver.received)) == (0, 1)
    assert "dated later than the clock stands" in done.stderr
    server.command("clock", "idle")
    assert receiver.received[0].body == receiver.received[1].body

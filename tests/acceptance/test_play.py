"""`swiftclaw play`: the real command, a real server, and receivers that are right, wrong, or away."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.acceptance.golden import assert_golden
from tests.acceptance.running import SECRET, PageReceiver, RunningServer, environment, serving
from tests.acceptance.test_commands_data import created, transcript


def play(server: RunningServer, *words: str) -> tuple[int, dict[str, object]]:
    done = server.command("play", *words, "--json")
    return done.returncode, json.loads(done.stdout)


def test_a_play_as_people_see_it(server: RunningServer, receiver: PageReceiver) -> None:
    created(server, receiver.url)
    assert_golden("play", transcript(server, "play --list", "play attacker", "play double-everything"))


def test_a_bad_deployment_is_survived_by_a_receiver_that_is_right(
    server: RunningServer, receiver: PageReceiver
) -> None:
    created(server, receiver.url)
    code, told = play(server, "friday-deploy")
    events = {one.event_id for one in receiver.received}
    assert (code, told["passed"], told["undelivered"], len(events)) == (0, True, 0, 39)
    assert server.api("GET", "/_local/faults")[1]["data"] == []


def test_a_receiver_that_fails_leaves_deliveries_undelivered(server: RunningServer, receiver: PageReceiver) -> None:
    created(server, receiver.url)
    receiver.answers = [500]
    code, told = play(server, "flaky")
    assert (code, told["passed"], told["undelivered"]) == (1, False, 30)


def test_a_story_of_ones_own_goes_to_one_webhook_and_its_faults_end_with_it(
    server: RunningServer, receiver: PageReceiver
) -> None:
    created(server, receiver.url)
    created(server, receiver.url)
    story = '[[step]]\nfault = "refused"\nfor = "1h"\n[[step]]\nemit = "agent.completed"\ncount = 2\n[[step]]\nadvance = "1m"\n'
    (server.folder / "mine.toml").write_text(story)
    code, told = play(server, "mine.toml", "--webhook", "124")
    states = [(one["webhook_id"], one["state"]) for one in server.api("GET", "/v1/deliveries")[1]["data"]]
    assert (code, told["undelivered"], states) == (1, 2, [("webhook-124", "retrying")] * 2)
    assert (server.api("GET", "/_local/faults")[1]["data"], receiver.received) == ([], [])


def test_what_is_shown_is_what_is_played(server: RunningServer, receiver: PageReceiver) -> None:
    created(server, receiver.url)
    (server.folder / "copy.toml").write_text(server.command("play", "attacker", "--show").stdout)
    codes = [play(server, name)[1]["findings"] for name in ("attacker", "copy.toml")]
    results = [[(one["result"], one["sent"], one["got"]) for one in findings] for findings in codes]  # type: ignore[attr-defined]
    assert results[0] == results[1]


def test_mistakes_are_told_before_anything_is_played(server: RunningServer, receiver: PageReceiver) -> None:
    (server.folder / "mine.toml").write_text('[[step]]\nemit = "agent.completed"\n\n[[step]]\nadvanc = "1m"\n')
    seen = transcript(
        server, "play", "play attackr", "play mine.toml", "play attacker", "trigger --scenario attacker --count 2"
    )
    created(server, receiver.url)
    server.command("clock", "resume")
    seen += transcript(server, "play friday-deploy", "play attacker --webhook 9", "trigger --scenario flaky")
    server.command("clock", "freeze")
    seen += transcript(server, "play flaky --real-time")
    assert_golden("play_errors", seen)
    assert receiver.received == []


def test_a_clock_that_runs_is_waited_for_and_what_happens_is_told(tmp_path: Path, receiver: PageReceiver) -> None:
    story = '[[step]]\nfault = "refused"\nfor = "30s"\n[[step]]\nemit = "agent.completed"\n[[step]]\nadvance = "90s"\n'
    (tmp_path / "mine.toml").write_text(story)
    with serving(tmp_path, "--ephemeral", "--clock", "x60", "--secret", SECRET) as server:
        created(server, receiver.url)
        shown = server.command("play", "mine.toml", "--real-time")
    assert (shown.returncode, len(receiver.received)) == (0, 1)
    assert "retrying: connection refused" in shown.stdout
    assert "delivered (dlv_" in shown.stdout.partition("retrying: connection refused")[2]


def test_interrupted_it_leaves_no_fault_behind(tmp_path: Path, receiver: PageReceiver) -> None:
    (tmp_path / "mine.toml").write_text('[[step]]\nfault = "refused"\nfor = "1h"\n[[step]]\nadvance = "1h"\n')
    with serving(tmp_path, "--ephemeral", "--secret", SECRET) as server:
        created(server, receiver.url)
        command = [sys.executable, "-m", "swiftclaw_local", "--api-url", server.url, "play", "mine.toml", "--real-time"]
        playing = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True)
        assert playing.stdout is not None
        assert any("armed" in line for line in playing.stdout)
        playing.send_signal(signal.SIGINT)
        playing.communicate(timeout=30)
        assert (playing.returncode, server.api("GET", "/_local/faults")[1]["data"]) == (130, [])


def test_a_trigger_can_play_a_scenario(server: RunningServer, receiver: PageReceiver) -> None:
    created(server, receiver.url)
    done = server.command("trigger", "--scenario", "double-everything")
    assert (done.returncode, done.stdout.splitlines()[0].startswith("double-everything: ")) == (0, True)


def test_the_retry_of_what_was_wrong_on_purpose_is_canceled(server: RunningServer, receiver: PageReceiver) -> None:
    created(server, receiver.url)
    receiver.answers = [500, 200]
    (server.folder / "mine.toml").write_text('[[step]]\nemit = "agent.completed"\nfault = "not_json"\n')
    code, told = play(server, "mine.toml")
    (listed,) = server.api("GET", "/v1/deliveries")[1]["data"]
    assert (code, told["canceled"], told["undelivered"], listed["state"]) == (1, 1, 0, "canceled")

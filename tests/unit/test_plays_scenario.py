"""A scenario is read as a whole, and each mistake in it is told with its line, before anything is played."""

from __future__ import annotations

from pathlib import Path

import pytest

from swiftclaw_local.errors import InvalidScenario, UnknownScenario
from swiftclaw_local.plays.library import BUILT_IN, built_in, is_recording, scenario_of, text_of
from swiftclaw_local.plays.scenario import Advance, Arm, Clear, Emit, Idle, Replay, Scenario, Step, read_scenario

WHOLE = """
about = "All there is."
agent = "billing-bot"

[[step]]
say = "First"
emit = "agent.completed"
data = { tokens_used = 450, nested = { list = [1, 2.5, true, "x"] } }
exact = true
count = 3
every = "30s"
fault = "delay:90s"
expect = "2xx"
agent = "other"
name = "one"

[[step]]
fault = "refused"
for = "3m"
times = 5

[[step]]
fault = "status"
probability = 0.5
seed = 7

[[step]]
replay = "one"
expect = "any"

[[step]]
advance = "1h30m"

[[step]]
clear = true

[[step]]
idle = true

[[step]]
say = "The end"
"""


def read(text: str) -> Scenario:
    return read_scenario(text, name="mine", source="mine.toml")


def test_everything_that_can_be_written_is_read() -> None:
    scenario = read(WHOLE)
    data = {"tokens_used": 450, "nested": {"list": [1, 2.5, True, "x"]}}
    emit = Emit("agent.completed", data, True, 3, "30s", "delay:90s", None, "other", "2xx", "one")
    assert scenario.steps == (
        Step("First", emit),
        Step(None, Arm("refused", lasts="3m", times=5)),
        Step(None, Arm("status:503", probability=0.5, seed=7)),
        Step(None, Replay("one", "any")),
        Step(None, Advance("1h30m")),
        Step(None, Clear()),
        Step(None, Idle()),
        Step("The end", None),
    )
    assert (scenario.about, scenario.agent, scenario.moves_clock) == ("All there is.", "billing-bot", True)


EMIT = '[[step]]\nemit = "agent.completed"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("abuot = 1\n", 'mine.toml: line 1, column 1: there is no "abuot" in the file. Did you mean "about"?'),
        ("about = 1\n" + EMIT, "mine.toml: line 1, column 1: about: write a text in quotes (the file)"),
        ("", "mine.toml: it has no step."),
        ("about = nothing\n", "mine.toml: line 1, column 9: it is not TOML: invalid value"),
        ('about = "x', "mine.toml: line 1, column 11: it is not TOML: unterminated string"),
        (
            "step = 3\n",
            "mine.toml: line 1, column 1: step: steps are written as [[step]], one after the other (the file)",
        ),
        ("[step]\nemit = 1\n", "mine.toml: step: steps are written as [[step]], one after the other (the file)"),
        ("\n[[step]]\n", "mine.toml: line 2, column 1: it does nothing (step 1)"),
        (
            EMIT + "\n[[step]]\n  evry = 3\n",
            'mine.toml: line 5, column 3: there is no "evry" in step 2. Did you mean "every"?',
        ),
        (
            '[[step]]\nemit = "agent.complete"\n',
            'mine.toml: line 2, column 1: emit: Unknown event type "agent.complete" in type. Did you mean "agent.completed"? (step 1)',
        ),
        (
            EMIT + "idle = true\n",
            'mine.toml: line 3, column 1: idle: a step does one thing, and this one has "emit" too (step 1)',
        ),
        (EMIT + "count = 0\n", "mine.toml: line 3, column 1: count: write a whole number from 1 to 10000 (step 1)"),
        (EMIT + "count = true\n", "mine.toml: line 3, column 1: count: write a whole number from 1 to 10000 (step 1)"),
        (
            EMIT + 'every = "soon"\n',
            'mine.toml: line 3, column 1: every: "soon" is not a duration. Write 6h, 90s or 1h30m (step 1)',
        ),
        (EMIT + 'every = "0s"\n', 'mine.toml: line 3, column 1: every: "0s" leaves no time (step 1)'),
        (
            EMIT + 'fault = "duplicat"\n',
            'mine.toml: line 3, column 1: fault: There is no fault "duplicat". Did you mean "duplicate"? (step 1)',
        ),
        (
            EMIT + 'fault = "burst"\n',
            "mine.toml: line 3, column 1: fault: burst is about several events: give it a step of its own before this one (step 1)",
        ),
        (
            EMIT + 'id = "evt_1"\ncount = 2\n',
            "mine.toml: line 3, column 1: id: one id is one event, and count asks for more (step 1)",
        ),
        (EMIT + "exact = false\n", "mine.toml: line 3, column 1: exact: write exact = true, or leave it out (step 1)"),
        (EMIT + "data = 3\n", "mine.toml: line 3, column 1: data: write a table, as { tokens_used = 450 } (step 1)"),
        (
            EMIT + "data = { at = 2026-01-01 }\n",
            "mine.toml: line 3, column 1: data: JSON has no datetime.date(2026, 1, 1) (step 1)",
        ),
        (EMIT + "[step.data]\nx = nan\n", "mine.toml: line 3, column 1: data: JSON has no nan (step 1)"),
        (
            EMIT + 'expect = "ok"\n',
            "mine.toml: line 3, column 1: expect: write 2xx, 4xx, a status as 401, or any (step 1)",
        ),
        (EMIT + 'say = ""\n', "mine.toml: line 3, column 1: say: write a text in quotes (step 1)"),
        (
            '[[step]]\nfault = "drop"\nprobability = 2\n',
            "mine.toml: line 3, column 1: probability: write a number above 0 and up to 1 (step 1)",
        ),
        (
            '[[step]]\nfault = "drop"\nseed = 2\n',
            "mine.toml: line 3, column 1: seed: a seed goes with a probability (step 1)",
        ),
        ('[[step]]\nfault = "drop"\nevery = "1s"\n', 'mine.toml: line 3, column 1: there is no "every" in step 1.'),
        ('[[step]]\nreplay = "x"\n', 'mine.toml: line 2, column 1: replay: no event before it is called "x" (step 1)'),
        (
            EMIT + 'name = "x"\n' + EMIT + 'name = "x"\n',
            'mine.toml: line 6, column 1: name: another event is called "x" already (step 2)',
        ),
        ("step = [{ emit = 3 }]\n", "mine.toml: emit: write a text in quotes (step 1)"),
        (
            '[[step]]\nsay = """\n[[step]]\ncount = 1\n"""\nemit = "agent.completed"\ncount = 0\n',
            "mine.toml: line 7, column 1: count: write a whole number from 1 to 10000 (step 1)",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(InvalidScenario) as refused:
        read(text)
    assert refused.value.message.splitlines()[0] == told


def test_the_line_is_shown_with_a_caret() -> None:
    with pytest.raises(InvalidScenario) as refused:
        read(EMIT + '\tevry = "1m" # too often\n')
    assert refused.value.message.splitlines()[1:] == ['   evry = "1m" # too often', "   ^"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_scenario_of_ours_can_be_read_printed_and_read_again(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.toml"
    copy.write_text(text_of(name))
    mine = scenario_of(str(copy))
    assert (mine.steps, mine.about) == (built_in(name).steps, built_in(name).about)
    assert mine.about


def test_what_is_not_there_or_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownScenario, match=r'no file "friday-deply". Did you mean "friday-deploy"'):
        scenario_of("friday-deply")
    with pytest.raises(InvalidScenario, match="cannot be read: Is a directory"):
        scenario_of(str(tmp_path))
    odd, long = tmp_path / "odd.toml", tmp_path / "long.toml"
    odd.write_bytes(b'about = "\xff"')
    long.write_bytes(b"#" * (1 << 20) + b"#")
    with pytest.raises(InvalidScenario, match="is not UTF-8: byte 10"):
        scenario_of(str(odd))
    with pytest.raises(InvalidScenario, match="1048576 at most"):
        scenario_of(str(long))


def test_a_recording_is_told_from_a_scenario(tmp_path: Path) -> None:
    begins_so, other = tmp_path / "traffic", tmp_path / "story"
    begins_so.write_text('\n{"swiftclaw_recording": 1}')
    other.write_text("[[step]]")
    names = {
        "attacker": False,
        "x.toml": False,
        "x.ndjson": True,
        str(begins_so): True,
        str(other): False,
        "none": False,
    }
    assert {name: is_recording(name) for name in names} == names

"""The pure parts of the bench: what it makes of its measurements."""

from __future__ import annotations

import pytest

from tests.bench.report import (
    Figure,
    Goal,
    Ledger,
    LedgerUnbalanced,
    Spread,
    as_json,
    percentile,
    ratios,
    spread,
    table,
)


def test_the_spread_of_rounds_is_their_median_and_both_ends() -> None:
    assert spread([4.0, 1.0, 9.0]) == Spread(median=4.0, lowest=1.0, highest=9.0, rounds=3)


def test_the_median_of_an_even_number_of_rounds_lies_between_the_middle_two() -> None:
    assert spread([1.0, 2.0, 4.0, 9.0]).median == 3.0


def test_ratios_are_taken_round_by_round() -> None:
    """The machine was twice as fast in the second round: no round was better than another, and the ratio says so."""
    assert ratios([90.0, 180.0], [100.0, 200.0]) == Spread(median=0.9, lowest=0.9, highest=0.9, rounds=2)


def test_rounds_without_a_partner_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="longer"):
        ratios([1.0], [1.0, 2.0])


@pytest.mark.parametrize(("percent", "expected"), [(1, 1.0), (50, 50.0), (99, 99.0), (100, 100.0)])
def test_a_percentile_is_one_of_the_values(percent: int, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], percent) == expected


def test_the_only_value_is_every_percentile() -> None:
    assert [percentile([7.0], 1), percentile([7.0], 99)] == [7.0, 7.0]


def test_a_balanced_ledger_passes() -> None:
    Ledger(events=10, deliveries=10, attempts=60, requests=60).check(emitted=10, attempts_each=6)


@pytest.mark.parametrize(
    "ledger",
    [
        Ledger(events=9, deliveries=10, attempts=10, requests=10),
        Ledger(events=10, deliveries=11, attempts=10, requests=10),
        Ledger(events=10, deliveries=10, attempts=9, requests=10),
        Ledger(events=10, deliveries=10, attempts=10, requests=9),
        Ledger(events=9, deliveries=9, attempts=9, requests=9),
    ],
    ids=["an event lost", "a delivery too many", "an attempt not written", "a request not received", "all too few"],
)
def test_an_unbalanced_ledger_voids_the_run(ledger: Ledger) -> None:
    with pytest.raises(LedgerUnbalanced, match="The run is void"):
        ledger.check(emitted=10)


@pytest.mark.parametrize(
    ("goal", "value", "expected"),
    [
        (Goal("at_least", 0.9), 0.9, True),
        (Goal("at_least", 0.9), 0.89, False),
        (Goal("at_most", 5), 5, True),
        (Goal("at_most", 5), 5.1, False),
    ],
)
def test_a_goal_is_met_from_its_figure_on(goal: Goal, value: float, expected: bool) -> None:
    assert goal.met(value) == expected


def test_a_figure_with_a_ratio_is_judged_by_the_ratio() -> None:
    figure = Figure(
        "deliveries",
        "durable",
        "/s",
        ours=spread([3800.0]),
        against="R",
        theirs=spread([4000.0]),
        ratio=ratios([3800.0], [4000.0]),
        goal=Goal("at_least", 0.9),
    )
    assert figure.met is True


def test_a_figure_without_a_ratio_is_judged_by_itself() -> None:
    assert Figure("latency", "median", "ms", ours=spread([6.0]), goal=Goal("at_most", 5)).met is False


def test_a_figure_without_a_goal_is_not_judged() -> None:
    assert Figure("R", "bare loop", "/s", ours=spread([4000.0])).met is None


def test_the_table_shows_absolute_figures_beside_ratios_and_who_missed_its_goal() -> None:
    figures = [
        Figure(
            "deliveries",
            "durable",
            "/s",
            ours=Spread(3000.4, 2900, 3100, 7),
            against="R",
            theirs=Spread(4000, 3900, 4100, 7),
            ratio=Spread(0.75, 0.74, 0.76, 7),
            goal=Goal("at_least", 0.9),
        ),
        Figure("ready", "from start", "s", ours=Spread(0.61, 0.6, 0.65, 5), goal=Goal("at_most", 2)),
    ]
    assert table(figures).splitlines() == [
        "measured             rounds  median    lowest - highest  against     ratio  lowest - highest  goal",
        "deliveries: durable  7       3,000 /s  2,900 - 3,100     R 4,000 /s  0.75   0.74 - 0.76       >= 0.9  MISSED",
        "ready: from start    5       0.61 s    0.6 - 0.65                                             <= 2    met",
    ]


def test_the_json_holds_what_the_table_shows_and_the_machine() -> None:
    figure = Figure("ready", "from start", "s", ours=Spread(0.61, 0.6, 0.65, 5), goal=Goal("at_most", 2))
    assert as_json([figure], machine={"cpu": "a", "cores": "2"}) == {
        "machine": {"cpu": "a", "cores": "2"},
        "figures": [
            {
                "measure": "ready",
                "meaning": "from start",
                "unit": "s",
                "ours": {"median": 0.61, "lowest": 0.6, "highest": 0.65, "rounds": 5},
                "against": "",
                "theirs": None,
                "ratio": None,
                "goal": {"kind": "at_most", "figure": 2},
                "met": True,
            }
        ],
    }

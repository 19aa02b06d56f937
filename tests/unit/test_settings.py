"""Where a setting's value comes from, and what is said of one that cannot be used."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from swiftclaw_local.errors import InvalidSetting
from swiftclaw_local.scheduler.policy import PAGE_SCHEDULE
from swiftclaw_local.settings import Settings, load_settings


def test_the_default_schedule_is_the_pages() -> None:
    assert Settings().retry_schedule == PAGE_SCHEDULE


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "swiftclaw.toml"
    config.write_text('port = 1\nper-webhook = 2\nretry_schedule = ["1m", "2m"]\nseed = 7\n')
    environment = {"SWIFTCLAW_PORT": "2", "SWIFTCLAW_PER_WEBHOOK": "3", "OTHER": "x"}
    settings = load_settings({"port": 3, "seed": None}, environment=environment, config=config)
    assert (settings.port, settings.per_webhook, settings.seed) == (3, 3, 7)
    assert settings.retry_schedule == (timedelta(minutes=1), timedelta(minutes=2))


def test_an_empty_schedule_means_no_retries() -> None:
    assert load_settings({"retry_schedule": ""}).retry_schedule == ()


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"port": "70000"}, "whole number from 0 to 65535"),
        ({"clock": "fast"}, "choose real, manual, or xN"),
        ({"clock": "x0"}, "choose real, manual, or xN"),
        ({"send_timeout": "10"}, "is not a duration"),
        ({"send_timeout": "0s"}, "above zero"),
        ({"retry_jitter": "2"}, "from 0 to 1"),
        ({"retry_jitter": "nan"}, "from 0 to 1"),
        ({"egress": "all"}, "choose one of local, public, any"),
        ({"ephemeral": "perhaps"}, "true or false"),
        ({"prot": "1"}, "Did you mean port?"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_source(given: dict[str, str], part: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        load_settings(given)
    assert part in caught.value.message
    assert next(iter(given)) in caught.value.message
    assert "command line" in caught.value.message


def test_a_file_that_is_not_there_or_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="no settings file"):
        load_settings({}, config=tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("port = \n")
    with pytest.raises(InvalidSetting, match=r"broken\.toml cannot be read"):
        load_settings({}, config=broken)


def test_a_manual_clock_sends_one_at_a_time_unless_told_otherwise() -> None:
    assert (Settings().slots(manual=True), Settings().slots(manual=False)) == (1, 10)
    assert Settings(per_webhook=4).slots(manual=True) == 4


@pytest.mark.parametrize(
    ("clock", "rate"), [(None, None), ("real", 1.0), ("manual", 0.0), ("x60", 60.0), ("x0.5", 0.5)]
)
def test_the_clocks_rate_is_engine_seconds_per_real_second(clock: str | None, rate: float | None) -> None:
    assert load_settings({"clock": clock}).clock_rate == rate

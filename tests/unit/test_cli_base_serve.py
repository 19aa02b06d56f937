"""How serve reads its settings and what it says when it is up; the server itself is in the acceptance tests."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from swiftclaw_local.cli import serve as serving
from swiftclaw_local.cli.app import App
from swiftclaw_local.cli.main import main
from swiftclaw_local.errors import InvalidInput, InvalidSetting, SwiftclawError
from swiftclaw_local.settings import Settings


@dataclass(frozen=True)
class Opened:
    interrupted: int = 0
    overdue: int = 0
    webhooks: int = 3
    deliveries: int = 41


@dataclass(frozen=True)
class Started:
    url: str = "http://127.0.0.1:7420"
    db: Path | None = Path(".swiftclaw/swiftclaw.db")
    durability: str = "full"
    opened: Opened = Opened()
    clock: str = "real time"


def settings(
    given: dict[str, Any],
    *,
    environment: dict[str, str] | None = None,
    serial: bool = False,
    config: Path | None = None,
) -> Settings:
    unset = {setting.name: () if setting.name in ("allow_host", "api_host") else None for setting in fields(Settings)}
    return serving._settings(App({}, environment or {}), unset | given, serial=serial, config=config)


def banner(started: Started, **of: Any) -> list[str]:
    return serving.banner_lines(started, Settings(**of))  # type: ignore[arg-type] # the server's own class has more


def test_every_setting_is_an_option_and_says_what_it_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--help"]) == 0
    shown = capsys.readouterr().out
    for setting in fields(Settings):
        assert f"--{setting.name.replace('_', '-')} " in shown


def test_the_help_names_all_words_that_a_setting_takes() -> None:
    told = {}
    for setting in fields(Settings):
        with suppress(ValueError, SwiftclawError):
            setting.metadata["read"]("no such word")
            continue
        told[setting.name] = serving._WRITTEN.get(setting.name, "").split("|")
    with_words = {name: words for name, words in told.items() if len(words) > 1 and name != "clock"}
    assert set(with_words) == {"durability", "headers", "egress", "log_format", "log_level"}
    for name, words in with_words.items():
        with pytest.raises(InvalidSetting, match=f"choose one of {', '.join(words)}\\."):
            settings({name: "no such word"})


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings({}).port == 7420
    Path("swiftclaw.toml").write_text('port = 1\nsecret = "scsec_file"\n')
    assert settings({}).port == 1
    assert settings({}, environment={"SWIFTCLAW_PORT": "2"}).port == 2
    assert settings({}, environment={"SWIFTCLAW_ALLOW_HOST": "a.com,b.com"}).allow_host == ("a.com", "b.com")
    both = settings({"port": "3", "allow_host": ("a.com", "*.b.com")}, environment={"SWIFTCLAW_PORT": "2"})
    assert (both.port, both.allow_host, both.secret) == (3, ("a.com", "*.b.com"), "scsec_file")


def test_another_file_can_be_named_and_must_be_there(tmp_path: Path) -> None:
    config = tmp_path / "other.toml"
    config.write_text("port = 4\n")
    assert settings({}, config=config).port == 4
    with pytest.raises(InvalidSetting, match="There is no settings file"):
        settings({}, config=tmp_path / "none.toml")


def test_serial_is_one_attempt_at_a_time_per_webhook() -> None:
    assert settings({}, serial=True).per_webhook == 1
    with pytest.raises(InvalidInput, match="contradict"):
        settings({"per_webhook": "4"}, serial=True)


def test_a_setting_that_cannot_be_used_is_refused_before_anything_starts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--clock", "fast"]) == 2
    assert capsys.readouterr().err == (
        'error: clock = "fast" in the command line cannot be used: choose real, manual, or xN as x60.\n'
    )


def test_the_banner_says_where_it_is_what_it_keeps_and_how_the_clock_stands() -> None:
    assert banner(Started(opened=Opened(overdue=2, interrupted=1))) == [
        "SwiftClaw local 0.1.0   a fake for development, not the SwiftClaw service",
        "  API + console   http://127.0.0.1:7420          (this machine only)",
        "  data            ./.swiftclaw/swiftclaw.db      kept between runs, 3 webhooks, 41 deliveries, "
        "1 attempt cut off when it last stopped, 2 retries due while it was off: sent now",
        "  clock           real time",
        "Waiting for events. ^C stops; scheduled retries are kept.",
    ]


def test_the_banner_of_a_server_in_memory_says_that_nothing_is_kept() -> None:
    lines = banner(Started(db=None, durability="none"))
    assert lines[2] == "  data            in memory                      nothing is kept after the end"
    assert lines[-1] == "Waiting for events. ^C stops; everything is forgotten then."


def test_the_banner_says_what_normal_durability_may_lose() -> None:
    assert (
        "but for the last moments before a power loss (--durability normal)" in banner(Started(durability="normal"))[2]
    )


@pytest.mark.parametrize(
    ("of", "line"),
    [
        ({"egress": "any"}, "  sends to        any host, public ones too (--egress any)"),
        ({"egress": "public"}, "  sends to        public hosts only (--egress public)"),
        ({"allow_host": ("a.com",)}, "  sends to        this machine and private networks, and a.com"),
    ],
)
def test_the_banner_says_where_it_may_send_when_that_is_not_the_usual(of: dict[str, Any], line: str) -> None:
    assert line in banner(Started(), **of)
    assert not any(told.startswith("  sends to") for told in banner(Started()))


def test_the_banner_says_when_other_machines_reach_it() -> None:
    assert (
        "(other machines reach it too; they need a token)"
        in banner(replace(Started(), url="http://192.168.1.5:7420"))[1]
    )
    assert "(this machine only)" in banner(replace(Started(), url="http://[::1]:7420"))[1]

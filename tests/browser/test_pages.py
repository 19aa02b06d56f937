"""Every page, light and dark, wide and narrow: nothing that some people cannot use, nothing beside the screen, readable without a script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import PageReceiver, RunningServer
from tests.browser.figures import Figures
from tests.browser.furnished import SEEN, furnish
from tests.browser.window import NARROW, WIDE, OpenWindow

MOST_OF_A_FIRST_LOAD = 150_000
SEVERE = ("serious", "critical")
# What stands out to the right of the window, for whoever mends it.
BESIDE = """() => [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1
  && getComputedStyle(e).position !== 'absolute').slice(0, 5).map(e => e.outerHTML.slice(0, 120))"""
# Tab stops as a person counts them: of radio buttons with one name, one.
STOPS = """() => { const seen = new Set(); return [...document.querySelectorAll(
  'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')].filter(e => {
    if (!e.checkVisibility({visibilityProperty: true, opacityProperty: false}) || e.disabled) return false;
    if (e.tabIndex < 0) return false;
    if (e.type !== 'radio') return true;
    const group = e.form?.id + e.name; if (seen.has(group)) return false; seen.add(group); return true; }).length }"""
FOCUSED = """() => { const e = document.activeElement; if (!e || e === document.body) return null;
  const own = getComputedStyle(e); const beside = e.labels?.[0] ? getComputedStyle(e.labels[0]) : own;
  const seen = [own, beside].some(s => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0);
  e.dataset.walked ??= String(window.walked = (window.walked ?? 0) + 1);
  return {number: Number(e.dataset.walked), seen, what: e.outerHTML.slice(0, 120)}; }"""


@pytest.fixture(scope="module")
def names(server: RunningServer, receiver: PageReceiver) -> dict[str, str]:
    return furnish(server, receiver)


@pytest.fixture(scope="module")
def axe() -> str:
    """The script that looks for what some people cannot use."""
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


def shot(path: str) -> str:
    return path.strip("/").replace("/", "-").replace("{", "").replace("}", "") or "live"


def severe(page: Any, axe: str) -> list[str]:
    """Return the serious findings on a page, with the places."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{one['id']}: {one['help']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found
        if one["impact"] in SEVERE
        for node in one["nodes"][:5]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", SEEN)
def test_everybody_can_use_the_page(
    window: OpenWindow, names: dict[str, str], axe: str, figures: Figures, *, path: str, theme: str
) -> None:
    page = window(path.format(**names), dark=theme == "dark")
    window.shoot(page, f"{shot(path)}-wide-{theme}")
    assert severe(page, axe) == []
    page.set_viewport_size({"width": NARROW, "height": 800})
    window.shoot(page, f"{shot(path)}-400-{theme}")
    assert severe(page, axe) == []
    figures.count("axe, serious findings, page by page in both themes and widths", 2)


@pytest.mark.parametrize("width", [WIDE, NARROW, WIDE // 2], ids=["wide", "400 px", "200 % zoom"])
@pytest.mark.parametrize("path", SEEN)
def test_nothing_stands_beside_the_screen(window: OpenWindow, names: dict[str, str], path: str, width: int) -> None:
    page = window(path.format(**names), width=width)
    assert (page.evaluate("document.documentElement.scrollWidth") <= width, page.evaluate(BESIDE))[0], page.evaluate(
        BESIDE
    )


@pytest.mark.parametrize("path", SEEN)
def test_the_page_is_read_without_a_script(window: OpenWindow, names: dict[str, str], path: str) -> None:
    page = window(path.format(**names), script=False)
    assert len(page.inner_text("main")) > 100
    assert page.locator("h1").count() == 1
    assert [one for one in page.locator(".js-only").all() if one.is_visible()] == []
    for form in page.locator("form").all():
        assert (form.get_attribute("method") in ("get", "post"), form.get_attribute("action")) != (False, None)


@pytest.mark.parametrize("path", SEEN)
def test_a_first_load_is_small(window: OpenWindow, names: dict[str, str], path: str, figures: Figures) -> None:
    page = window("/healthz")
    page.wait_for_load_state("networkidle")
    window.faults.clear()  # it has no icon
    loaded: list[int] = []
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.on("Network.loadingFinished", lambda event: loaded.append(event["encodedDataLength"]))
    page.goto(path.format(**names))
    page.wait_for_timeout(300)  # a stream goes on for ever, so that no end of the network's work can be waited for
    figures.most("first load of a page, the largest", sum(loaded) / 1000, unit="KB", limit=MOST_OF_A_FIRST_LOAD / 1000)
    assert sum(loaded) <= MOST_OF_A_FIRST_LOAD


@pytest.mark.parametrize("path", SEEN)
def test_every_stop_is_reached_by_tab_and_seen(window: OpenWindow, names: dict[str, str], path: str) -> None:
    page = window(path.format(**names))
    stops = page.evaluate(STOPS)
    unseen, numbers = [], set()
    for _ in range(stops + 2):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED)
        if at is None:
            break
        numbers.add(at["number"])
        if not at["seen"]:
            unseen.append(at["what"])
    assert unseen == []
    assert len(numbers) >= stops

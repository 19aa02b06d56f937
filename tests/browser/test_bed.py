"""The browser is driven, sees the server, and tells of what goes wrong."""

from __future__ import annotations

from tests.browser.figures import percentile
from tests.browser.window import OpenWindow


def test_a_window_shows_what_the_server_answers(window: OpenWindow) -> None:
    page = window("/healthz")
    page.wait_for_load_state("networkidle")
    window.faults.clear()  # a page that is no page of the console has no icon
    assert '"ok":true' in page.content()


def test_a_window_tells_of_scripts_that_fail_and_of_strangers(window: OpenWindow) -> None:
    page = window("/healthz")
    page.evaluate("setTimeout(() => { throw new Error('made up') })")
    page.evaluate("fetch('http://127.0.0.1:9/', {mode: 'no-cors'}).catch(() => 0)")
    page.wait_for_timeout(200)
    told = " ".join(window.faults)
    window.faults.clear()
    assert ("script: made up" in told, "request to 127.0.0.1:9" in told) == (True, True)


def test_the_percentile_is_the_nearest_rank() -> None:
    assert [percentile([4, 1, 3, 2], of=share) for share in (0.25, 0.5, 0.51, 1)] == [1, 2, 3, 4]
    assert percentile([float(value) for value in range(1, 21)], of=0.95) == 19

"""How soon what is sent is on screen: each row's first sight, by the browser's own clock, which is the machine's."""

from __future__ import annotations

import time
from typing import Any, Final

from tests.acceptance.running import RunningServer
from tests.browser.figures import Figures, percentile

SEEN_WITHIN_MS: Final = 300
_WATCH: Final = """() => { window.seen = {}; new MutationObserver(() => {
  for (const row of document.querySelectorAll('#rows [data-delivery]')) window.seen[row.dataset.delivery] ??= Date.now(); })
  .observe(document.body, {childList: true, subtree: true}); }"""


def assert_seen_at_once(
    page: Any, server: RunningServer, agent: str, figures: Figures, *, what: str, events: int = 20
) -> None:
    """Emit so many events of an agent at a server, and compare how soon each was on the live page with the limit."""
    page.wait_for_selector('#dot[data-is="live"]')
    page.evaluate(_WATCH)
    sent: dict[str, float] = {}
    for _ in range(events):
        before = time.time() * 1000
        _, answer = server.api("POST", f"/v1/agents/{agent}/events", {"type": "agent.completed"})
        sent[answer["deliveries"][0]["id"]] = before
        page.wait_for_timeout(100)
    page.wait_for_function("ids => ids.every(id => id in window.seen)", arg=list(sent))
    seen = page.evaluate("window.seen")
    waits = [seen[name] - at for name, at in sent.items()]
    middle, late = percentile(waits, of=0.5), percentile(waits, of=0.95)
    figures.add(f"{what}, {events} events", f"p50 {middle:.0f} ms, p95 {late:.0f} ms", limit=f"{SEEN_WITHIN_MS} ms")
    assert late <= SEEN_WITHIN_MS

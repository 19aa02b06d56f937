"""The journeys of developers, walked: `swiftclaw dev` beside FastAPI with the page's sample, and beside Express."""

from __future__ import annotations

import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from scripts.frameworks import NODE_MODULES, PYTHON
from tests.acceptance.terminal import Terminal, Typed
from tests.frameworks.page import PROGRAMS
from tests.frameworks.running import BESIDE, FULL, STARTS_WITHIN_S
from tests.frameworks.test_certified import FAILS
from tests.ports import free_port

KEYS: Final = "Keys: t send test"
EXPRESS: Final = """
const express = require('express');
const crypto = require('crypto');
const app = express();
const secret = process.env.SWIFTCLAW_WEBHOOK_SECRET;
const seen = new Set();
app.post('/webhooks/swiftclaw', express.raw({ type: '*/*', limit: '2mb' }), (req, res) => {
  const sent = Buffer.from(req.get('x-swiftclaw-signature') || '');
  const good = Buffer.from(crypto.createHmac('sha256', secret).update(Buffer.isBuffer(req.body) ? req.body : '').digest('hex'));
  if (sent.length !== good.length || !crypto.timingSafeEqual(sent, good)) return res.status(401).json({ error: 'Invalid signature' });
  let event; try { event = JSON.parse(req.body); } catch { return res.status(400).json({ error: 'Invalid JSON' }); }
  if (!event || !event.id) return res.status(400).json({ error: 'Invalid event' });
  if (seen.has(event.id)) return res.json({ status: 'already_processed' });
  seen.add(event.id); res.json({ received: true });
});
app.listen(process.env.PORT);
"""


@contextmanager
def developing(folder: Path, port: int, *command: str) -> Iterator[tuple[Typed, str]]:
    """Run `swiftclaw dev` beside a command on a terminal; give what is shown, and how to call the server."""
    terminal = Terminal(folder, PORT=str(port), EFFECTS=str(folder))
    url = f"http://localhost:{port}/webhooks/swiftclaw"
    words = ["dev", "--port", "0", "--ephemeral", "--wait-port", f"{STARTS_WITHIN_S:.0f}s", "--url", url, "--"]
    typed = terminal.start(sys.executable, "-m", "swiftclaw_local", *words, *command)
    try:
        shown = typed.shown_until(KEYS)
        (address,) = re.findall(r"^  API \+ console   (http://\S+)", shown, re.MULTILINE)
        assert f"webhook-123     my-agent -> {url}   (all 9 event types)" in shown
        assert "o open console" in shown
        terminal.environment["SWIFTCLAW_API_URL"] = address
        yield typed, address
        os.write(typed._master, b"q")
        assert typed.process.wait(STARTS_WITHIN_S) == 0
    finally:
        typed.close()


def certified(folder: Path, address: str) -> tuple[set[str], str]:
    """Certify the webhook as a person does in a second terminal; return what failed, and the report's address."""
    second = Terminal(folder / "second", SWIFTCLAW_API_URL=address)
    shown = second.type("swiftclaw certify my-agent webhook-123; echo exit $?")
    failed = set(re.findall(r"^  FAIL  (\S+)", shown, re.MULTILINE))
    assert f"exit {1 if failed else 0}" in shown
    return failed, re.findall(r"   report: (\S+)$", shown, re.MULTILINE)[0]


def answers(port: int) -> int:
    """Return the status of an unsigned post."""
    asked = urllib.request.Request(f"http://localhost:{port}/webhooks/swiftclaw", b"{}", method="POST")
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - our own receiver
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


if FULL:  # these need the frameworks, which `make frameworks` installs

    def test_a_python_developer_mends_the_page_s_sample_while_it_runs(tmp_path: Path) -> None:
        port = free_port()
        sample = PROGRAMS["FastAPI, as printed"].text.rpartition("\nuvicorn.run")[0]
        (tmp_path / "app.py").write_text(sample)
        (tmp_path / "effects.py").write_text((BESIDE / "effects.py").read_text())
        command = (str(PYTHON), "-m", "uvicorn", "app:app", "--port", str(port), "--reload")
        with developing(tmp_path, port, *command) as (typed, address):
            os.write(typed._master, b"t")
            shown = typed.shown_until("hint: FastAPI read")
            assert "422" in shown
            assert "failed, not retried (SwiftClaw retries only 500-599)" in shown
            (tmp_path / "app.py").write_text(sample.replace("(request)", "(request: Request)"))
            until = time.monotonic() + STARTS_WITHIN_S
            while answers(port) in (0, 422):
                assert time.monotonic() < until, "it was not reloaded"
                time.sleep(0.1)
            os.write(typed._master, b"t")
            assert "200" in typed.shown_until("delivered").rpartition("(test)")[2]
            typed.read_on()
            failed, report = certified(tmp_path, address)
        assert failed == FAILS["FastAPI, request: Request added"]
        assert report == f"{address}/certify/crt_1"

    def test_a_node_developer_has_it_beside_express(tmp_path: Path) -> None:
        port = free_port()
        (tmp_path / "server.js").write_text(EXPRESS)
        (tmp_path / "node_modules").symlink_to(NODE_MODULES)
        with developing(tmp_path, port, "node", "server.js") as (typed, address):
            os.write(typed._master, b"t")
            assert "200" in typed.shown_until("delivered")
            assert certified(tmp_path, address)[0] == set()

"""A real server in a child process, the real commands, and a receiver as the page describes one."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SECRET = "scsec_acceptance"

_ADDRESS = re.compile(r"http://\S+")
_MODULE = [sys.executable, "-m", "swiftclaw_local"]


@dataclass(slots=True)
class RunningServer:
    """`swiftclaw serve` in a child process, with `folder` as its working directory."""

    url: str
    folder: Path
    process: subprocess.Popen[str]
    banner: list[str]

    def api(self, method: str, path: str, body: Any = None, *, timeout: float = 30) -> tuple[int, Any]:
        """Return the status and the parsed JSON of one call of the API."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)  # noqa: S310 - our own server's address
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310 - as above
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def command(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run `swiftclaw` with these words against this server."""
        return subprocess.run(
            [*_MODULE, "--api-url", self.url, *words],
            cwd=self.folder,
            env=environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def stop(self, with_signal: int = signal.SIGTERM) -> int:
        """Stop the server and return its exit code (negative: the signal that ended it)."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        code = self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[RunningServer]:
    """Run a server on a free port until the block ends; its log goes to `server.log` in the folder."""
    server = start_server(folder, *flags)
    try:
        yield server
    finally:
        server.stop(signal.SIGKILL)


def start_server(folder: Path, *flags: str) -> RunningServer:
    """Start a server on a free port and return when its banner is out."""
    with (folder / "server.log").open("a") as log:
        process = subprocess.Popen(
            [*_MODULE, "serve", "--port", "0", *flags],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    banner: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        banner.append(line.rstrip("\n"))
        if line.startswith("Waiting for events"):
            break
    addresses = _ADDRESS.findall("\n".join(banner))
    assert addresses, (banner, (folder / "server.log").read_text())
    return RunningServer(addresses[0], folder, process, banner)


def environment() -> dict[str, str]:
    """Return the environment of a person who has set nothing for SwiftClaw."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SWIFTCLAW_")}
    here = str(Path(__file__).parents[2])
    return kept | {"NO_COLOR": "1", "PYTHONPATH": os.pathsep.join(filter(None, [here, kept.get("PYTHONPATH")]))}


@dataclass(frozen=True, slots=True)
class Received:
    """One request that reached the receiver."""

    path: str
    headers: list[tuple[str, str]]
    body: bytes
    signed: bool

    @property
    def event_id(self) -> str:
        """The id in the body."""
        found: str = json.loads(self.body)["id"]
        return found


@dataclass(slots=True)
class PageReceiver:
    """Verifies signatures as the page does; answers 401 to a wrong one, else as `answers` say, the last one for ever."""

    secret: str
    answers: list[int] = field(default_factory=lambda: [200])
    delay_s: float = 0.0
    received: list[Received] = field(default_factory=list)
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, path: str, headers: list[tuple[str, str]], body: bytes) -> int:
        """Remember a request and return the status to answer it with."""
        given = next((value for name, value in headers if name == "X-SwiftClaw-Signature"), "")
        expected = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        signed = hmac.compare_digest(given, expected)
        with self._lock:
            self.received.append(Received(path, headers, body, signed))
            status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return status if signed else 401


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a sender that is killed resets its connections."""


@contextmanager
def receiving(secret: str, *answers: int, delay_s: float = 0.0) -> Iterator[PageReceiver]:
    """Run a receiver on a free port until the block ends; it takes `delay_s` for each answer."""
    receiver = PageReceiver(secret, list(answers) or [200], delay_s)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one write per answer: two would wait 40 ms for each other

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.take(self.path, list(self.headers.items()), body)
            time.sleep(receiver.delay_s)
            answer = b'{"received": true}' if status == 200 else b'{"error": "Processing failed"}'
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/webhooks/swiftclaw"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)

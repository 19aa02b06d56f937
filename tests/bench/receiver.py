"""The receiver that everything is sent to: nginx where it is installed, else the bench's own, in a child on its own core.

Both answer at once: 200 to `/ok`, 500 to `/fail`, and both count their requests.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tests.bench.machine import pin
from tests.ports import free_port

_START_S: Final = 5.0

_NGINX_CONFIG: Final = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    default_type application/json;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location /ok {{ return 200 '{{"received":true}}'; }}
        location /fail {{ return 500 '{{"error":"Processing failed"}}'; }}
        location = /count {{ stub_status; }}
    }}
}}
"""


class Receiver(Protocol):
    """A running receiver."""

    name: str

    def url(self, path: str) -> str:
        """Return the URL of `/ok` or `/fail`."""

    def requests(self) -> int:
        """Return how many requests were received since the start, those of this method not counted."""


@dataclass(slots=True)
class Nginx:
    """nginx with a configuration of its own, one process, counting by its status page."""

    name: str
    port: int
    _asked: int = 0

    def url(self, path: str) -> str:
        """See `Receiver.url`."""
        return f"http://127.0.0.1:{self.port}{path}"

    def requests(self) -> int:
        """See `Receiver.requests`."""
        self._asked += 1
        page = _get(self.url("/count"))
        found = re.search(r"^ *\d+ +\d+ +(\d+)", page, re.MULTILINE)
        assert found is not None, f"nginx's status page has another form: {page}"
        return int(found[1]) - self._asked


@dataclass(slots=True)
class Lean:
    """The bench's own receiver; it knows when each request arrived, too."""

    name: str
    port: int

    def url(self, path: str) -> str:
        """See `Receiver.url`."""
        return f"http://127.0.0.1:{self.port}{path}"

    def requests(self) -> int:
        """See `Receiver.requests`."""
        return int(_get(self.url("/count")))

    def arrivals(self) -> list[float]:
        """Return when the requests since the last call arrived, in seconds of the system's monotonic clock."""
        return [float(at) for at in json.loads(_get(self.url("/arrivals")))]


@contextmanager
def any_receiver(folder: Path, *, core: int | None) -> Iterator[Receiver]:
    """Run nginx, or the bench's own receiver where there is none, for the length of the block."""
    program = shutil.which("nginx", path=f"{_path()}:/usr/sbin:/usr/local/sbin")
    if program is None:
        with lean_receiver(core=core, why="nginx is not installed") as lean:
            yield lean
        return
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_NGINX_CONFIG.format(folder=folder, port=port), encoding="utf-8")
    process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
    pin(process.pid, core)
    try:
        nginx = Nginx(_nginx_name(program), port)
        _wait_until_it_answers(nginx.url("/count"))
        nginx._asked = 1
        yield nginx
    finally:
        process.terminate()
        process.wait()


@contextmanager
def lean_receiver(*, core: int | None, why: str) -> Iterator[Lean]:
    """Run the bench's own receiver for the length of the block; `why` not nginx is said in its name."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.lean_receiver"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    pin(process.pid, core)
    assert process.stdout is not None
    try:
        yield Lean(f"the bench's own in Python ({why})", int(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _nginx_name(program: str) -> str:
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    return said.rpartition(":")[2].strip() or "nginx"


def _wait_until_it_answers(url: str) -> None:
    """Ask until the first answer, which counts as one request."""
    deadline = time.monotonic() + _START_S
    while True:
        try:
            _get(url)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=_START_S) as answer:  # noqa: S310 - our own receiver
        return str(answer.read().decode())


def _path() -> str:
    import os

    return os.environ.get("PATH", os.defpath)

"""The listening sockets, bound before anything else is opened; and when a port is taken, who has it and what to type."""

from __future__ import annotations

import errno
import http.client
import json
import socket
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from swiftclaw_local.errors import PortInUse, SetupError
from swiftclaw_local.server.surroundings import listener

_ASK_S: Final = 1.0
_NEXT_PORTS: Final = 50


def bind(host: str, port: int, *, db: Path | None = None) -> list[socket.socket]:
    """Return sockets bound to every address of a host, all with one port; 0 takes any free one.

    `db` is the database that is going to be used, for a better message. Raises: PortInUse; SetupError for a host that
    is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise SetupError(
            f'There is no address for the host "{host}".', hint="Leave --host out for 127.0.0.1."
        ) from None
    sockets: list[socket.socket] = []
    failed: OSError | None = None
    for family, _, _, _, address in found:
        try:
            sockets.append(_bound(family, (address[0], port, *address[2:])))
            port = sockets[0].getsockname()[1]
        except OSError as error:
            failed = error
            if error.errno == errno.EADDRINUSE:
                _close(sockets)
                raise _in_use(str(address[0]), port, db=db) from None
    if not sockets and failed is not None:
        raise _cannot(host, port, failed)
    return sockets


def _close(sockets: list[socket.socket]) -> None:
    for bound in sockets:
        bound.close()


def _bound(family: int, address: Any) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
        # listening, not only bound: two processes may bind one port, and the second finds out when it listens
        bound.listen(1024)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


def _cannot(host: str, port: int, error: OSError) -> SetupError:
    if error.errno == errno.EACCES:
        return SetupError(
            f"Port {port} needs the rights of the administrator.", hint="Choose one from 1024 on: --port 7420"
        )
    return SetupError(
        f"Cannot listen on {host}, port {port}: {error.strerror}.", hint="Leave --host out for 127.0.0.1."
    )


def _in_use(host: str, port: int, *, db: Path | None) -> PortInUse:
    free = _free_port(host, port)
    ours = _ask(host, port)
    if ours is not None:
        data = ours.get("data")
        told = f" (pid {ours['pid']}, data {data})" if "pid" in ours else ""
        same = db is not None and data is not None and Path(str(data)).resolve() == db.resolve()
        other_db = " --db other.db" if same else ""
        return PortInUse(
            f"A SwiftClaw local server already runs on port {port}{told}. "
            f"Use it, or start a second one: swiftclaw serve --port {free}{other_db}"
        )
    process = listener(port)
    who = f" ({process.name}, pid {process.pid})" if process else ""
    return PortInUse(
        f"Port {port} is used by another program{who}. "
        f"Choose one: swiftclaw serve --port {free}, or --port 0 for any free port."
    )


def _ask(host: str, port: int) -> dict[str, Any] | None:
    """Return the status of a SwiftClaw local on this port; empty when it only wants a token; None when it is none."""
    with (
        suppress(OSError, http.client.HTTPException, ValueError),
        closing(http.client.HTTPConnection(host, port, timeout=_ASK_S)) as connection,
    ):
        connection.request("GET", "/_local/status", headers={"Host": f"127.0.0.1:{port}", "Connection": "close"})
        answer = json.loads(connection.getresponse().read(65_536))
        if isinstance(answer, dict) and {"version", "pid", "data"} <= answer.keys():
            return answer
        error = answer.get("error") if isinstance(answer, dict) else None
        if isinstance(error, dict) and error.get("code") in ("token_required", "wrong_host"):
            return {}
    return None


def _free_port(host: str, taken: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in range(taken + 1, min(taken + _NEXT_PORTS, 65_536)):
        with suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.bind((host, port))
            return port
    return 0

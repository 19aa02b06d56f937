"""Decides where may be sent to (decision D29): by name before anything is sent, by connected address at each attempt.

The name alone never lets anything through that its address forbids. It opens no connection and asks no DNS.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from swiftclaw_local.dispatcher.hostname import ascii_host, is_local_name, is_loopback_name
from swiftclaw_local.dispatcher.networks import IpAddress, Kind, place_of, read_address
from swiftclaw_local.errors import InvalidSetting
from swiftclaw_local.scheduler.outcome import Cause

IpNetwork = IPv4Network | IPv6Network
Socket = tuple[IpAddress, int]

_LOOPBACK: Final = (ip_address("127.0.0.1"), ip_address("::1"))


class Egress(StrEnum):
    """Where may be sent to: this machine and private networks, public hosts, or both."""

    LOCAL = "local"
    PUBLIC = "public"
    ANY = "any"


def is_here(address: IpAddress) -> bool:
    """Return whether an address is one of this machine's: whether a socket can be bound to it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


class AddressPolicy:
    """The guard over every connection.

    `egress` local: local addresses, and what `allow_hosts` opens. Public: public addresses, and others only where
    `allow_hosts` names them by address or network, because a name's address is chosen by whoever runs its DNS. Any: all.
    Never, whatever is allowed: link-local, metadata, multicast and broadcast addresses, and the engine's own sockets.

    `allow_hosts` patterns: `api.example.com`, `*.example.com` (all below it, not itself), `203.0.113.7`,
    `203.0.113.0/24`. `here` tells whether an address is this machine's; `command` is what
    people type to allow a host.

    Raises: InvalidSetting for a pattern that is none of these.
    """

    def __init__(
        self,
        *,
        egress: str,
        allow_hosts: tuple[str, ...] = (),
        here: Callable[[IpAddress], bool] = is_here,
        command: str = "swiftclaw serve",
    ) -> None:
        self._egress = Egress(egress)
        self._networks: list[IpNetwork] = []
        self._names: list[str] = []
        self._here = here
        self._command = command
        self._own: set[Socket] = set()
        for pattern in allow_hosts:
            self._allow(pattern)

    def own(self, addresses: Iterable[tuple[str, int]]) -> None:
        """Add the engine's own listening sockets, (IP address, port) each; 0.0.0.0 and :: stand for all of this machine's."""
        for text, port in addresses:
            self._own.add((ip_address(text.partition("%")[0]), port))

    def may_send_to_name(self, host: str) -> bool:
        """Return what is known of a host without DNS: False when a send is sure to be refused, or would be by its name.

        The host is a name or an IP address, as it stands in a URL.
        """
        address = read_address(host)
        if address is not None:
            return self._judge_place(host, address) is None
        match self._egress:
            case Egress.LOCAL:
                return is_local_name(host) or self._allows_name(host)
            case Egress.PUBLIC:
                return not is_loopback_name(host) or any(map(self._allows_address, _LOOPBACK))
            case Egress.ANY:
                return True

    def note(self, host: str) -> str | None:
        """Return in a few words what is known without DNS of sending to a host; None when nothing speaks against it."""
        if self.may_send_to_name(host):
            return None
        address = read_address(host)
        if address is not None and place_of(address).kind is Kind.NEVER:
            return "nothing is ever sent to this address"
        if self._egress is Egress.PUBLIC:
            return "not a public host: sends are blocked by --egress public"
        return "public host: sends are blocked, see --allow-host"

    def judge(self, host: str, address: str, port: int) -> Cause | None:
        """Return why nothing may be sent to this connected IP address, None when it may; `host` is as it stands in the URL."""
        ip = read_address(address)
        if ip is None:
            return Cause.BLOCKED_ADDRESS  # what cannot be judged is not sent to
        if self._is_own(ip, port):
            return Cause.BLOCKED_SELF
        return self._judge_place(host, ip)

    def refusal(self, cause: Cause, *, host: str, address: str) -> str:
        """Return in words why nothing was sent, and what would allow it if anything does."""
        where = host if host == address else f"{host} ({address})"
        ip = read_address(address)
        match cause:
            case Cause.BLOCKED_HOST:
                return (
                    f"{where} is not on this machine or network. Not sent. This is a fake platform;"
                    f" to really send there: {self._command} --allow-host {host}"
                )
            case Cause.BLOCKED_SELF:
                return f"{where} is SwiftClaw local itself. Not sent. Register the port of your receiver."
            case _ if ip is None:
                return f"{where} cannot be judged. Not sent."
        place = place_of(ip)
        if place.kind is Kind.NEVER:
            return f"{where} is {place.name} address, and nothing is ever sent to those. Not sent."
        return (
            f"{where} is {place.name} address, which --egress public refuses. Not sent."
            f" To allow it: swiftclaw serve --egress public --allow-host {ip}"
        )

    def _judge_place(self, host: str, address: IpAddress) -> Cause | None:
        kind = place_of(address).kind
        if kind is Kind.NEVER:
            return Cause.BLOCKED_ADDRESS
        if self._allows_address(address):
            return None
        match self._egress:
            case Egress.LOCAL:
                return None if kind is Kind.LOCAL or self._allows_name(host) else Cause.BLOCKED_HOST
            case Egress.PUBLIC:
                return None if kind is Kind.PUBLIC else Cause.BLOCKED_ADDRESS
            case Egress.ANY:
                return None

    def _is_own(self, address: IpAddress, port: int) -> bool:
        # Connecting to 0.0.0.0 or :: reaches the loopback address.
        reached = _LOOPBACK[address.version == 6] if address.is_unspecified else address
        listening = [own for own, own_port in self._own if own_port == port]
        return any(own == reached or (own.is_unspecified and self._is_here(reached)) for own in listening)

    def _is_here(self, address: IpAddress) -> bool:
        return address.is_loopback or self._here(address)

    def _allow(self, pattern: str) -> None:
        try:
            address = read_address(pattern)
            if address is not None:
                self._networks.append(ip_network(address))
            elif "/" in pattern:
                self._networks.append(ip_network(pattern, strict=False))
            else:
                below = "*." if pattern.startswith("*.") else ""
                self._names.append(below + ascii_host(pattern.removeprefix("*.")).removesuffix("."))
        except ValueError:
            raise InvalidSetting(
                f'allow_host "{pattern}" is no host.',
                hint="Write api.example.com, *.example.com, 203.0.113.7 or 203.0.113.0/24; all hosts: --egress any",
                field="allow_host",
            ) from None

    def _allows_name(self, host: str) -> bool:
        try:
            name = ascii_host(host).removesuffix(".")
        except ValueError:  # an IPv6 address, or no name: nothing is allowed by it
            return False
        return any(
            name.endswith(allowed[1:]) if allowed.startswith("*.") else name == allowed for allowed in self._names
        )

    def _allows_address(self, address: IpAddress) -> bool:
        return any(address in network for network in self._networks)

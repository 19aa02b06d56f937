"""The table of IP networks: what kind of place an address is, from explicit rows, each with its source.

It holds no policy: whether one may send there is decided in `addresses`. The standard library's `is_global` is not used:
it passes addresses nobody should be sent to (the embedded ones among them) and changes between Python versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

IpAddress = IPv4Address | IPv6Address

_ADDRESSES_KEPT: Final = 4096


class Kind(StrEnum):
    """What an address is to whoever sends."""

    LOCAL = "local"  # this machine, or a private network
    PUBLIC = "public"  # a host on the internet
    RESERVED = "reserved"  # neither: documentation, benchmarks, unassigned; some networks use them inside all the same
    NEVER = "never"  # nothing is sent here in any mode: link-local, metadata of clouds, multicast, broadcast


@dataclass(frozen=True, slots=True)
class Place:
    """The kind of an address, and what it is called: "a private", "a link-local" (address)."""

    kind: Kind
    name: str


# Sources: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890) with the RFC of each row; the clouds' own
# manuals for metadata. The longest prefix that fits counts, so the order of the rows does not matter.
TABLE: Final = (
    ("0.0.0.0/0", Kind.PUBLIC, "a public"),
    ("0.0.0.0/8", Kind.RESERVED, "a reserved"),  # RFC 791
    (
        "0.0.0.0/32",
        Kind.LOCAL,
        "a loopback",
    ),  # connecting to it reaches this machine, and servers print it as their own
    ("10.0.0.0/8", Kind.LOCAL, "a private"),  # RFC 1918
    ("100.64.0.0/10", Kind.LOCAL, "a private"),  # RFC 6598: carriers' NAT, overlay networks
    ("100.100.100.200/32", Kind.NEVER, "a metadata"),  # Alibaba Cloud
    ("127.0.0.0/8", Kind.LOCAL, "a loopback"),  # RFC 1122
    ("168.63.129.16/32", Kind.NEVER, "a metadata"),  # Azure's host agent
    ("169.254.0.0/16", Kind.NEVER, "a link-local"),  # RFC 3927
    ("169.254.169.254/32", Kind.NEVER, "a metadata"),  # AWS, Azure, Google Cloud and most others
    ("172.16.0.0/12", Kind.LOCAL, "a private"),  # RFC 1918
    ("192.0.0.0/24", Kind.RESERVED, "a reserved"),  # RFC 6890
    ("192.0.0.192/32", Kind.NEVER, "a metadata"),  # Oracle Cloud
    ("192.0.2.0/24", Kind.RESERVED, "a documentation"),  # RFC 5737
    ("192.88.99.0/24", Kind.RESERVED, "a reserved"),  # RFC 7526
    ("192.168.0.0/16", Kind.LOCAL, "a private"),  # RFC 1918
    ("198.18.0.0/15", Kind.RESERVED, "a benchmark"),  # RFC 2544
    ("198.51.100.0/24", Kind.RESERVED, "a documentation"),  # RFC 5737
    ("203.0.113.0/24", Kind.RESERVED, "a documentation"),  # RFC 5737
    ("224.0.0.0/4", Kind.NEVER, "a multicast"),  # RFC 5771
    ("240.0.0.0/4", Kind.RESERVED, "a reserved"),  # RFC 1112
    ("255.255.255.255/32", Kind.NEVER, "a broadcast"),  # RFC 919
    ("::/0", Kind.RESERVED, "a reserved"),  # only 2000::/3 is given out (RFC 4291)
    ("::/128", Kind.LOCAL, "a loopback"),  # as 0.0.0.0
    ("::1/128", Kind.LOCAL, "a loopback"),  # RFC 4291
    ("2000::/3", Kind.PUBLIC, "a public"),  # RFC 4291
    ("2001::/23", Kind.RESERVED, "a reserved"),  # RFC 2928
    ("2001:db8::/32", Kind.RESERVED, "a documentation"),  # RFC 3849
    ("3fff::/20", Kind.RESERVED, "a documentation"),  # RFC 9637
    ("fc00::/7", Kind.LOCAL, "a private"),  # RFC 4193
    ("fd00:42::42/128", Kind.NEVER, "a metadata"),  # Scaleway
    ("fd00:c1::a9fe:a9fe/128", Kind.NEVER, "a metadata"),  # Oracle Cloud
    ("fd00:ec2::/32", Kind.NEVER, "a metadata"),  # AWS: metadata ::254, credentials ::23, time ::123, names ::253
    ("fd20:ce::254/128", Kind.NEVER, "a metadata"),  # Google Cloud
    ("fe80::/10", Kind.NEVER, "a link-local"),  # RFC 4291
    ("fec0::/10", Kind.LOCAL, "a private"),  # RFC 3879: site-local, out of use
    ("ff00::/8", Kind.NEVER, "a multicast"),  # RFC 4291
)
# IPv6 networks that carry an IPv4 address in their last 32 bits; such an address is judged as the one it carries.
_CARRY_IPV4: Final = tuple(
    IPv6Network(text)
    for text in (
        "::ffff:0:0/96",  # IPv4-mapped, RFC 4291
        "::/96",  # IPv4-compatible, RFC 4291, out of use
        "::ffff:0:0:0/96",  # translated, RFC 2765
        "64:ff9b::/96",  # NAT64, RFC 6052
    )
)
_ROWS: Final = sorted(
    ((ip_network(text), Place(kind, name)) for text, kind, name in TABLE), key=lambda row: -row[0].prefixlen
)
_LAST_32_BITS: Final = 0xFFFF_FFFF


@lru_cache(maxsize=_ADDRESSES_KEPT)
def read_address(text: str) -> IpAddress | None:
    """Return an IP address, out of its brackets and without its zone; None when the text is none.

    One that carries an IPv4 address (mapped, NAT64, 6to4, Teredo) is returned as the address it carries.
    """
    try:
        address = ip_address(text.removeprefix("[").removesuffix("]").partition("%")[0])
    except ValueError:
        return None
    return address if isinstance(address, IPv4Address) else _carried(address) or address


@lru_cache(maxsize=_ADDRESSES_KEPT)
def place_of(address: IpAddress) -> Place:
    """Return what kind of place an address is, one from `read_address`."""
    return next(place for network, place in _ROWS if address in network)


def _carried(address: IPv6Address) -> IPv4Address | None:
    if address.sixtofour is not None:  # 2002::/16, RFC 3056
        return address.sixtofour
    if address.teredo is not None:  # 2001::/32, RFC 4380: the server, and behind it the client, to whom it goes
        return address.teredo[1]
    if int(address) > 1 and any(address in network for network in _CARRY_IPV4):  # :: and ::1 carry nothing
        return IPv4Address(int(address) & _LAST_32_BITS)
    return None

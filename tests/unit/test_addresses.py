"""Where may be sent to: every row of decision D29, judged on the address, embedded ones included."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import product
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftclaw_local.dispatcher.addresses import AddressPolicy, is_here
from swiftclaw_local.dispatcher.networks import TABLE, IpAddress, Kind, place_of, read_address
from swiftclaw_local.errors import InvalidSetting
from swiftclaw_local.scheduler.outcome import Cause

V4_ANY: Final = "0.0.0.0"  # noqa: S104 - an address to judge; nothing is bound to it
LOCAL: Final = (
    "127.0.0.1", "127.255.255.255", V4_ANY, "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255",
    "192.168.0.1", "192.168.255.255", "100.64.0.1", "100.127.255.255", "::1", "::", "fc00::1", "fdff:ffff::1",
    "fd12:3456::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3",
)  # fmt: skip
PUBLIC: Final = (
    "8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "192.167.1.1", "100.63.0.1", "100.128.0.1", "11.0.0.1",
    "2606:4700::1", "2a00::1",
)  # fmt: skip
RESERVED: Final = (
    "0.0.0.1", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
    "203.0.113.7", "240.0.0.1", "255.255.255.254", "2001:db8::1", "3fff::1", "2001:2::1", "2001:10::1", "100::1",
    "5f00::1", "4000::1", "64:ff9b:1::a00:1",
)  # fmt: skip
NEVER: Final = (
    "169.254.0.1", "169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16",
    "224.0.0.1", "239.255.255.255", "255.255.255.255", "fe80::1", "fe80::1%eth0", "febf::1", "ff02::1",
    "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42", "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::1", "::169.254.169.254",
)  # fmt: skip
EGRESS: Final = ("local", "public", "any")
IPV4: Final = st.ip_addresses(v=4)


def judge(address: str, *, egress: str, host: str = "yourapp.com", allow: tuple[str, ...] = ()) -> Cause | None:
    return AddressPolicy(egress=egress, allow_hosts=allow).judge(host, address, 80)


def forms(address: IPv4Address) -> list[str]:
    """Return an IPv4 address in all its forms."""
    number = int(address)
    teredo = (0x2001_0000 << 96) | (int(IPv4Address("65.54.227.120")) << 64) | (number ^ 0xFFFF_FFFF)
    return [
        f"::ffff:{address}",
        f"[::ffff:{address}]",
        f"64:ff9b::{address}",
        f"::ffff:0:{address}",
        str(IPv6Address((0x2002 << 112) | (number << 80) | 7)),
        str(IPv6Address(teredo)),
    ]


# --- the table ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text"),
    [(kind, text) for kind, texts in zip(Kind, (LOCAL, PUBLIC, RESERVED, NEVER), strict=True) for text in texts],
)
def test_each_address_is_of_its_kind(kind: Kind, text: str) -> None:
    address = read_address(text)
    assert address is not None
    assert kind is place_of(address).kind


@given(IPV4)
def test_every_ipv4_address_is_judged_the_same_in_every_form_that_carries_it(address: IPv4Address) -> None:
    assert {address} == {read_address(form) for form in forms(address)}


@given(st.ip_addresses())
def test_every_address_has_a_place_and_the_most_exact_row_decides(address: IpAddress) -> None:
    read = read_address(str(address))
    assert read is not None
    rows = [(ip_network(text), kind) for text, kind, _ in TABLE]
    kind = max((row for row in rows if read in row[0]), key=lambda row: row[0].prefixlen)[1]
    assert kind is place_of(read).kind


def test_no_row_is_in_the_table_twice_and_the_rows_cover_everything() -> None:
    networks = [ip_network(text) for text, _, _ in TABLE]
    assert len(set(networks)) == len(networks)
    assert {IPv4Network("0.0.0.0/0"), IPv6Network("::/0")} <= set(networks)


# --- the three modes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("egress", "address"), list(product(EGRESS, NEVER)))
def test_nothing_is_ever_sent_to_link_local_metadata_and_multicast_whatever_is_allowed(
    egress: str, address: str
) -> None:
    allow = ("0.0.0.0/0", "::/0", "yourapp.com", address.partition("%")[0])
    assert judge(address, egress=egress, allow=allow) is Cause.BLOCKED_ADDRESS


@pytest.mark.parametrize(
    ("egress", "local", "public", "reserved"),
    [
        ("local", None, Cause.BLOCKED_HOST, Cause.BLOCKED_HOST),
        ("public", Cause.BLOCKED_ADDRESS, None, Cause.BLOCKED_ADDRESS),
        ("any", None, None, None),
    ],
)
def test_each_mode_opens_what_it_says(
    egress: str, local: Cause | None, public: Cause | None, reserved: Cause | None
) -> None:
    assert {local} == {judge(address, egress=egress) for address in LOCAL}
    assert {public} == {judge(address, egress=egress) for address in PUBLIC}
    assert {reserved} == {judge(address, egress=egress) for address in RESERVED}


@given(IPV4, st.sampled_from(EGRESS))
def test_no_form_of_an_address_gets_past_its_verdict(address: IPv4Address, egress: str) -> None:
    policy = AddressPolicy(egress=egress)
    verdicts = {policy.judge("h", form, 80) for form in forms(address)}
    assert {policy.judge("h", str(address), 80)} == verdicts


def test_an_address_that_cannot_be_read_is_not_sent_to() -> None:
    assert judge("somewhere", egress="any") is Cause.BLOCKED_ADDRESS
    assert judge("", egress="any") is Cause.BLOCKED_ADDRESS


def test_an_unknown_mode_is_no_mode() -> None:
    with pytest.raises(ValueError, match="everything"):
        AddressPolicy(egress="everything")


# --- what is allowed besides ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "host", "address", "allowed"),
    [
        ("yourapp.com", "yourapp.com", "8.8.8.8", True),
        ("YourApp.com.", "yourapp.com", "8.8.8.8", True),
        ("yourapp.com", "YOURAPP.com.", "8.8.8.8", True),
        ("yourapp.com", "api.yourapp.com", "8.8.8.8", False),
        ("yourapp.com", "notyourapp.com", "8.8.8.8", False),
        ("yourapp.com", "yourapp.com.evil.com", "8.8.8.8", False),
        ("*.yourapp.com", "api.yourapp.com", "8.8.8.8", True),
        ("*.yourapp.com", "a.b.yourapp.com", "8.8.8.8", True),
        ("*.yourapp.com", "yourapp.com", "8.8.8.8", False),
        ("*.yourapp.com", "evilyourapp.com", "8.8.8.8", False),
        ("bücher.example", "xn--bcher-kva.example", "8.8.8.8", True),
        ("xn--bcher-kva.example", "bücher.example", "8.8.8.8", True),
        ("yourapp.com", "not a name ü", "8.8.8.8", False),
        ("8.8.8.8", "dns.google", "8.8.8.8", True),
        ("8.8.8.8", "8.8.8.8", "8.8.8.8", True),
        ("8.8.8.8", "8.8.8.8", "8.8.4.4", False),
        ("203.0.113.0/24", "yourapp.com", "203.0.113.255", True),
        ("203.0.113.7/24", "yourapp.com", "203.0.113.255", True),
        ("203.0.113.0/24", "yourapp.com", "203.0.114.1", False),
        ("203.0.113.0/24", "yourapp.com", "::ffff:203.0.113.7", True),
        ("[2a00::1]", "yourapp.com", "2a00::1", True),
        ("2a00::/16", "yourapp.com", "2a00:1::1", True),
    ],
)
def test_a_pattern_opens_exactly_what_it_names(pattern: str, host: str, address: str, allowed: bool) -> None:
    expected = None if allowed else Cause.BLOCKED_HOST
    assert expected is judge(address, egress="local", host=host, allow=(pattern,))


@pytest.mark.parametrize(
    "pattern", ["*", "*.", "http://yourapp.com", "yourapp.com:443", "a b", "10.0.0.0/33", "", "a.*.com", "/8"]
)
def test_a_pattern_that_names_no_host_is_refused_with_examples(pattern: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        AddressPolicy(egress="local", allow_hosts=(pattern,))
    assert f'"{pattern}"' in caught.value.message
    assert "*.example.com" in (caught.value.hint or "")


def test_in_public_mode_an_address_may_open_a_private_one_and_a_name_may_not() -> None:
    assert (
        judge("10.1.2.3", egress="public", host="api.example.com", allow=("api.example.com",)) is Cause.BLOCKED_ADDRESS
    )
    assert judge("10.1.2.3", egress="public", host="api.example.com", allow=("10.1.2.0/24",)) is None


# --- the engine's own sockets ---------------------------------------------------------------------------------------


def own(*sockets: tuple[str, int], here: frozenset[str] = frozenset(), egress: str = "any") -> AddressPolicy:
    policy = AddressPolicy(egress=egress, allow_hosts=("0.0.0.0/0", "::/0"), here=lambda address: str(address) in here)
    policy.own(sockets)
    return policy


@pytest.mark.parametrize("egress", EGRESS)
@pytest.mark.parametrize("form", ["127.0.0.1", "::ffff:127.0.0.1", V4_ANY, "64:ff9b::7f00:1"])
def test_the_engines_own_socket_is_never_sent_to_in_any_form_of_its_address(form: str, egress: str) -> None:
    policy = own(("127.0.0.1", 7420), egress=egress)
    assert policy.judge("localhost", form, 7420) is Cause.BLOCKED_SELF
    assert policy.judge("localhost", form, 7421) is None


def test_another_address_with_the_same_port_is_not_the_engines() -> None:
    policy = own(("127.0.0.1", 7420), here=frozenset({"192.168.1.5"}))
    assert policy.judge("h", "192.168.1.5", 7420) is None
    assert policy.judge("h", "127.0.0.2", 7420) is None


@pytest.mark.parametrize("any_address", [V4_ANY, "::"])
def test_listening_everywhere_makes_every_address_of_this_machine_the_engines(any_address: str) -> None:
    policy = own((any_address, 7420), here=frozenset({"192.168.1.5", "2a00::5"}))
    for address in ("127.0.0.1", "127.1.2.3", "::1", V4_ANY, "::", "192.168.1.5", "2a00::5"):
        assert policy.judge("h", address, 7420) is Cause.BLOCKED_SELF
    assert policy.judge("h", "192.168.1.6", 7420) is None
    assert policy.judge("h", "192.168.1.5", 7421) is None


def test_the_ipv6_socket_of_the_engine_is_its_own_too() -> None:
    policy = own(("127.0.0.1", 7420), ("::1", 7430))
    assert policy.judge("localhost", "::1", 7430) is Cause.BLOCKED_SELF
    assert policy.judge("localhost", "::", 7430) is Cause.BLOCKED_SELF
    assert policy.judge("localhost", "::1%lo", 7430) is Cause.BLOCKED_SELF
    assert policy.judge("localhost", "::1", 7420) is None


def test_sockets_are_added_to_those_known_before() -> None:
    policy = own(("127.0.0.1", 7420))
    policy.own([("127.0.0.1", 7500)])
    assert [policy.judge("h", "127.0.0.1", port) for port in (7420, 7500)] == [Cause.BLOCKED_SELF] * 2


def test_this_machines_addresses_are_told_from_others() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("127.0.0.1", 9))
        assert is_here(ip_address(probe.getsockname()[0]))
    assert not is_here(ip_address("203.0.113.7"))
    assert not is_here(ip_address("2001:db8::1"))


# --- by name alone --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "local", "public"),
    [
        ("localhost", True, False),
        ("LOCALHOST.", True, False),
        ("app.localhost", True, False),
        ("mylocalhost", True, True),
        ("host.docker.internal", True, True),
        ("printer.local", True, True),
        ("shop.test", True, True),
        ("nas.home.arpa", True, True),
        ("web", True, True),
        ("my_service", True, True),
        ("yourapp.com", False, True),
        ("localhost.yourapp.com", False, True),
        ("notlocalhost.com", False, True),
        ("127.0.0.1", True, False),
        ("::1", True, False),
        ("[::1]", True, False),
        ("10.0.0.1", True, False),
        ("8.8.8.8", False, True),
        ("203.0.113.7", False, False),
        ("169.254.169.254", False, False),
        ("::ffff:8.8.8.8", False, True),
    ],
)
def test_what_a_name_alone_tells(host: str, local: bool, public: bool) -> None:
    known = [AddressPolicy(egress=egress).may_send_to_name(host) for egress in ("local", "public")]
    assert [local, public] == known


def test_with_any_host_allowed_only_the_never_ones_are_known_to_be_refused() -> None:
    policy = AddressPolicy(egress="any")
    assert [policy.may_send_to_name(host) for host in ("yourapp.com", "localhost", "8.8.8.8", "10.0.0.1")] == [True] * 4
    assert not policy.may_send_to_name("169.254.169.254")


def test_an_allowed_host_is_known_to_be_sent_to() -> None:
    policy = AddressPolicy(egress="local", allow_hosts=("yourapp.com", "*.example.com", "8.8.8.0/24"))
    hosts = ("yourapp.com", "api.example.com", "8.8.8.8", "example.com", "9.9.9.9")
    assert [policy.may_send_to_name(host) for host in hosts] == [True, True, True, False, False]


def test_in_public_mode_localhost_is_known_only_when_its_address_is_allowed() -> None:
    assert AddressPolicy(egress="public", allow_hosts=("127.0.0.0/8",)).may_send_to_name("localhost")
    assert not AddressPolicy(egress="public", allow_hosts=("localhost",)).may_send_to_name("localhost")


@pytest.mark.parametrize(("egress", "address"), list(product(EGRESS, [*LOCAL, *PUBLIC, *RESERVED, *NEVER])))
def test_an_address_in_the_place_of_a_name_is_known_as_it_will_be_judged(egress: str, address: str) -> None:
    policy = AddressPolicy(egress=egress)
    assert (policy.judge(address, address, 80) is None) == policy.may_send_to_name(address)


# --- in words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("egress", "host", "address", "text"),
    [
        (
            "local",
            "yourapp.com",
            "203.0.113.7",
            "yourapp.com (203.0.113.7) is not on this machine or network. Not sent. This is a fake platform;"
            " to really send there: swiftclaw serve --allow-host yourapp.com",
        ),
        (
            "any",
            "evil.com",
            "169.254.169.254",
            "evil.com (169.254.169.254) is a metadata address, and nothing is ever sent to those. Not sent.",
        ),
        (
            "public",
            "intranet.example.com",
            "::ffff:10.0.0.1",
            "intranet.example.com (::ffff:10.0.0.1) is a private address, which --egress public refuses. Not sent."
            " To allow it: swiftclaw serve --egress public --allow-host 10.0.0.1",
        ),
        (
            "any",
            "127.0.0.1",
            "127.0.0.1",
            "127.0.0.1 is SwiftClaw local itself. Not sent. Register the port of your receiver.",
        ),
        ("any", "h", "?", "h (?) cannot be judged. Not sent."),
    ],
)
def test_a_refusal_says_why_and_what_would_allow_it(egress: str, host: str, address: str, text: str) -> None:
    policy = AddressPolicy(egress=egress)
    policy.own([("127.0.0.1", 80)])
    cause = policy.judge(host, address, 80)
    assert cause is not None
    assert text == policy.refusal(cause, host=host, address=address)


@pytest.mark.parametrize(
    ("egress", "address"), [("local", "8.8.8.8"), ("local", "203.0.113.7"), ("public", "10.0.0.1")]
)
def test_what_a_refusal_tells_to_allow_does_allow_it(egress: str, address: str) -> None:
    policy = AddressPolicy(egress=egress)
    cause = policy.judge("yourapp.com", address, 80)
    assert cause is not None
    pattern = policy.refusal(cause, host="yourapp.com", address=address).rpartition(" ")[2]
    assert judge(address, egress=egress, allow=(pattern,)) is None


@pytest.mark.parametrize(
    ("egress", "host", "note"),
    [
        ("local", "localhost", None),
        ("local", "yourapp.com", "public host: sends are blocked, see --allow-host"),
        ("local", "169.254.169.254", "nothing is ever sent to this address"),
        ("public", "yourapp.com", None),
        ("public", "10.0.0.1", "not a public host: sends are blocked by --egress public"),
        ("any", "yourapp.com", None),
    ],
)
def test_what_is_known_of_a_host_is_told_in_a_few_words(egress: str, host: str, note: str | None) -> None:
    assert AddressPolicy(egress=egress).note(host) == note

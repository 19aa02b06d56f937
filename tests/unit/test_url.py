"""URLs at registration: what passes can be sent to, what does not is told why and what to write instead."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from swiftclaw_local.dispatcher.request import host_header
from swiftclaw_local.dispatcher.url import LONGEST_URL, check_url
from swiftclaw_local.errors import InvalidUrl

EXAMPLE: Final = "Write it as http://localhost:8000/webhooks/swiftclaw"
PIECES: Final = [
    *(
        "http://",
        "https://",
        "HTTP:",
        "//",
        "/",
        "ftp",
        ":",
        "@",
        ":8000",
        ":0",
        "?a=b",
        "#",
        "%2e",
        "..",
        ".",
        "\\",
        " ",
        "\n",
    ),
    *(
        "localhost",
        "bücher.example",
        "127.0.0.1",
        "[::1]",
        "0x7f.1",
        "ß",
        "😀",
        "user:secret@",
        "a_b",
        "é",
        "[",
        "]",
        "A-9",
    ),
]


def refused(text: str, *, field: str = "url") -> InvalidUrl:
    with pytest.raises(InvalidUrl) as caught:
        check_url(text, field=field)
    return caught.value


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000/webhooks/swiftclaw",
        "https://yourapp.com/webhooks/swiftclaw",
        "https://abc123.ngrok.io/webhooks/swiftclaw",
        "http://localhost",
        "http://localhost?x=1",
        "HTTPS://YourApp.com:443/Hook?a=%20&b=[x]",
        "http://[::1]:8000/",
        "http://[::ffff:127.0.0.1]/",
        "http://my_service:3000/hook",
        "http://host.docker.internal:65535/",
        "http://localhost./",
        "http://a/" + "x" * (LONGEST_URL - 9),
        "http://xn--bcher-kva.example/",
    ],
)
def test_a_good_url_is_kept_as_it_was_written(url: str) -> None:
    assert url == check_url(url, field="url")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("http://bücher.example:8000/", "http://xn--bcher-kva.example:8000/"),
        ("http://BÜCHER.example/", "http://xn--bcher-kva.example/"),
        ("http://localhost/größe?ä=%20b", "http://localhost/gr%C3%B6%C3%9Fe?%C3%A4=%20b"),
        ("http://[::1]:8000/ü", "http://[::1]:8000/%C3%BC"),
        ("http://１２７.0.0.1/", "http://127.0.0.1/"),
    ],
)
def test_an_international_url_is_kept_in_ascii_as_it_will_be_sent(written: str, kept: str) -> None:
    assert kept == check_url(written, field="url")


@pytest.mark.parametrize(
    ("text", "guess"),
    [
        ("localhost:8000/hook", "http://localhost:8000/hook"),
        ("localhost/hook", "http://localhost/hook"),
        ("127.0.0.1/hook", "http://127.0.0.1/hook"),
        ("web:3000", "http://web:3000"),
        ("host.docker.internal/hook", "http://host.docker.internal/hook"),
        ("//localhost:8000/hook", "http://localhost:8000/hook"),
        ("/hook", "http://localhost:8000/hook"),
        ("http:localhost:8000", "http://localhost:8000"),
        ("https:/yourapp.com/hook", "https://yourapp.com/hook"),
        ("yourapp.com/hook", "https://yourapp.com/hook"),
    ],
)
def test_a_url_without_a_scheme_is_answered_with_the_one_meant(text: str, guess: str) -> None:
    error = refused(text)
    expected = (f'url "{text}" has no scheme. Did you mean {guess} ?', None, "url")
    assert expected == (error.message, error.hint, error.field)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is empty."),
        ("   ", "is empty."),
        ("ftp://localhost/x", "has the scheme ftp; a webhook is sent by http or https."),
        ("file:///etc/passwd", "has the scheme file; a webhook is sent by http or https."),
        ("mailto:me", "has no scheme."),
        ("http://user:hunter2@localhost/", "holds a user name or password, which SwiftClaw does not send."),
        ("http://@localhost/", "holds a user name or password, which SwiftClaw does not send."),
        ("http://localhost/#top", "has a fragment (#...), which is never sent. Did you mean http://localhost/ ?"),
        ("http://localhost/#", "has a fragment (#...), which is never sent. Did you mean http://localhost/ ?"),
        ("http://localhost/a b", "holds a space. Did you mean http://localhost/a%20b ?"),
        (" http://localhost/", "holds a space. Did you mean http://localhost/ ?"),
        ("http://localhost/\n", "holds an invisible or control character. Did you mean http://localhost/ ?"),
        ("http://localhost/\r\nX-Evil: 1", "holds an invisible or control character."),
        ("http://local\x00host/", "holds an invisible or control character."),
        ("http://local\u202ehost/", "holds an invisible or control character."),
        ("http://localhost/\ud800", "holds an invisible or control character."),
        ("http://localhost\\@evil.com/", "holds a backslash. Did you mean http://localhost/@evil.com/ ?"),
        ("http:\\\\localhost\\x", "holds a backslash. Did you mean http://localhost/x ?"),
        ("http://localhost:0/", "has a port that is none: it is a whole number from 1 to 65535."),
        ("http://localhost:65536/", "has a port that is none: it is a whole number from 1 to 65535."),
        ("http://localhost:-1/", "has a port that is none: it is a whole number from 1 to 65535."),
        ("http://localhost:http/", "has a port that is none: it is a whole number from 1 to 65535."),
        ("http://localhost:/", "has a port that is none: it is a whole number from 1 to 65535."),
        ("http:///x", "has no host."),
        ("http://:3000/x", "has no host. Did you mean http://localhost:3000/x ?"),
        ("http://[::1/", "has a host in brackets that is not an IPv6 address."),
        ("http://[v1.x]/", "has a host in brackets that is not an IPv6 address."),
        ("http://[::1]x/", "has a host in brackets that is not an IPv6 address."),
        ("http://x[::1]/", "has a host in brackets that is not an IPv6 address."),
        (
            "http://[fe80::1%25eth0]/",
            "has an IPv6 address with a zone; those are link-local, and nothing is sent there.",
        ),
        ("http://[127.0.0.1]/", "has a host in brackets that is not an IPv6 address."),
        ("http://a/" + "x" * LONGEST_URL, f"is longer than {LONGEST_URL} bytes."),
        ("http://a/" + "ü" * (LONGEST_URL // 4), f"is longer than {LONGEST_URL} bytes."),
    ],
)
def test_a_url_that_cannot_be_sent_to_is_refused_with_what_is_wrong(text: str, what: str) -> None:
    assert refused(text).message.endswith(f'" {what}')


@pytest.mark.parametrize(
    "host",
    ["127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "0x7f000001", "127.0.0.01", "256.0.0.1", "1.2.3.4.5", "a.9"],
)
def test_an_address_in_disguise_is_refused(host: str) -> None:
    assert "looks like an IP address; write four plain numbers" in refused(f"http://{host}/").message


@pytest.mark.parametrize("host", ["a..b", ".a", "-a", "a-", "a%41", "a,b", "a" * 64, "a.b" * 90, "a*b", "..", "ü" * 70])
def test_what_is_no_host_name_is_refused(host: str) -> None:
    assert "cannot be sent to: the host" in refused(f"http://{host}/").message


@pytest.mark.parametrize("host", ["straße.example", "ΣΑΣς.example"])
def test_letters_that_old_and_new_idna_read_differently_are_not_guessed(host: str) -> None:
    assert "write its xn-- form" in refused(f"http://{host}/").message


@pytest.mark.parametrize(
    "text", ["http://me:hunter2@localhost/", "me:hunter2@localhost/", "//me:hunter2@h/", "ftp://me:hunter2@h"]
)
def test_a_password_is_not_repeated_in_the_error(text: str) -> None:
    error = refused(text)
    assert "hunter2" not in f"{error.message}{error.hint}"


def test_the_error_shows_invisible_characters_as_escapes_and_cuts_what_is_long() -> None:
    assert 'url "http://a\\u202eb\\x1b[0m" holds' in refused("http://a\u202eb\x1b[0m").message
    assert len(refused("x" * 10_000).message) < 300


def test_the_error_begins_with_the_field_and_ends_with_a_way_out() -> None:
    error = refused("https:///x", field="notify_url")
    assert (error.message, error.hint) == ('notify_url "https:///x" has no host.', EXAMPLE)


JOINED: Final = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
ANY_TEXT: Final = st.one_of(st.text(max_size=60), JOINED, JOINED.map(lambda rest: f"http://{rest}"))


def checked(text: str) -> tuple[str | None, str]:
    """Return the URL as kept, or None, and the text that is shown for it."""
    try:
        url = check_url(text, field="url")
    except InvalidUrl as error:
        return None, error.message
    return url, url


@given(ANY_TEXT)
def test_whatever_is_given_what_is_shown_is_printable(text: str) -> None:
    assert checked(text)[1].isprintable()


@given(ANY_TEXT)
def test_what_is_kept_is_ascii_stays_as_it_is_and_is_read_by_the_client_as_by_us(text: str) -> None:
    url = checked(text)[0]
    if url is None:
        return
    assert url == check_url(url, field="url")
    assert url.isascii()
    read = URL(url)
    host = f"[{read.raw_host}]" if ":" in (read.raw_host or "") else read.raw_host
    expected = host if read.is_default_port() else f"{host}:{read.port}"
    assert expected == host_header(url)

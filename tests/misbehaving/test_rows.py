"""Each row of the table, through the whole engine: what is in SQL afterwards, what it cost, and that nobody else suffers."""

from __future__ import annotations

import gc
import ssl
import tracemalloc
from pathlib import Path
from typing import Final

import pytest

from swiftclaw_local.scheduler.outcome import Cause
from tests.certificates import new_authority
from tests.misbehaving import handlers
from tests.misbehaving.conftest import Table
from tests.misbehaving.rows import BUDGET_S, Place, Seen, Variant, retried, taken
from tests.misbehaving.stage import play
from tests.misbehaving.table import NAMES, ROWS
from tests.receivers import Handler, always_ok, raw_receiver

HEAVY: Final = (9, 10, 19, 23)
MOST_MEMORY: Final = 20_000_000
ERROR_CLASSES: Final = {cause.value for cause in Cause} - {"internal"} | {"redirect", None}


@pytest.mark.parametrize("row", ROWS)
async def test_a_row_of_the_table_is_true_and_harms_no_neighbour(row: int, table: Table) -> None:
    receiver, variants = ROWS[row]
    with handlers.names(NAMES):
        found, healthy = await play(variants)
    for variant in variants:
        table.add(row, receiver, variant.name, expected=variant.expected, seen=found[variant.name])
    assert {v.name: v.expected for v in variants} == found
    assert {seen.error_class for seen in found.values()} <= ERROR_CLASSES
    assert healthy == len(variants)


@pytest.mark.parametrize("row", HEAVY)
async def test_a_heavy_row_costs_less_than_20_mb_of_memory(row: int, table: Table) -> None:
    receiver, variants = ROWS[row]
    for variant in variants:
        gc.collect()
        tracemalloc.start()
        try:
            await play([variant], budget_s=BUDGET_S * 4)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        what, seen = f"{receiver}: {variant.name}, memory", f"{peak / 1e6:.1f} MB"
        table.measured(row, what, limit="< 20 MB", seen=seen, within=peak < MOST_MEMORY)
        assert peak < MOST_MEMORY


def over_tls(handler: Handler, tls: ssl.SSLContext | None) -> Place:
    """Return a receiver with an https URL."""

    def place() -> handlers.Https:
        return handlers.Https(raw_receiver(handler, tls=tls))

    return place


async def test_row_26_each_way_in_which_tls_fails_has_its_own_class(tmp_path: Path, table: Table) -> None:
    (tmp_path / "other").mkdir()
    known, stranger = new_authority(tmp_path), new_authority(tmp_path / "other")
    variants = [
        Variant("expired", over_tls(always_ok, known.context(expired=True)), retried("tls_expired")),
        Variant("wrong host", over_tls(always_ok, known.context(host="10.9.8.7")), retried("tls_wrong_host")),
        Variant("another authority", over_tls(always_ok, stranger.context()), retried("tls_untrusted")),
        Variant("old version", over_tls(handlers.refuse_the_version, None), retried("tls_version")),
        Variant("plain HTTP", over_tls(handlers.speak_plainly, None), retried("tls_not_tls")),
        Variant("hangs", over_tls(handlers.say_nothing, None), retried("tls_timeout")),
        Variant("with --ca-file", over_tls(always_ok, known.context()), taken(b"Content-Length: 2\r\n", b"{}")),
    ]
    found, healthy = await play(variants, ca_file=known.pem)
    for variant in variants:
        table.add(26, "is wrong about TLS", variant.name, expected=variant.expected, seen=found[variant.name])
    assert {v.name: v.expected for v in variants} == found
    assert healthy == len(variants)


def test_what_is_seen_is_told_in_the_words_of_the_table() -> None:
    assert str(Seen("S", 200, truncated="size")) == "S 200, truncated: size"
    assert str(retried("dns")) == "R dns"

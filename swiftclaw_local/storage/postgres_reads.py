"""The connections that the reads use on PostgreSQL: each read one transaction, seeing one moment, changing nothing."""

from __future__ import annotations

from typing import Any

import psycopg
import sqlalchemy
from sqlalchemy import Engine

from swiftclaw_local.storage.postgres_link import connect_plain


def read_engine(url: str) -> Engine:
    """Return an engine of reading connections; nothing is opened yet. It does not know the URL, so it cannot show it."""

    def connect() -> psycopg.Connection[Any]:
        connection = connect_plain(url)
        connection.execute("SET default_transaction_read_only = on")
        connection.autocommit = False
        return connection

    return sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=connect,
        pool_size=4,
        max_overflow=4,
        pool_pre_ping=True,
        isolation_level="REPEATABLE READ",
    )

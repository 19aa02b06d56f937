"""What tests of a receiver use, besides the fixtures of `swiftclaw_local.pytest_plugin`: the types, for annotations.

Nothing here loads the engine: it runs in a child process and is spoken to over HTTP.
"""

from swiftclaw_local.testing.aswiftclaw import Aswiftclaw
from swiftclaw_local.testing.certification import Certification, Check
from swiftclaw_local.testing.connection import Connection
from swiftclaw_local.testing.delivery import Attempt, Delivery
from swiftclaw_local.testing.played import Played
from swiftclaw_local.testing.receiver import Received, Receiver
from swiftclaw_local.testing.server import Server
from swiftclaw_local.testing.swiftclaw import Moved, Swiftclaw, Webhook

__all__ = [
    "Aswiftclaw",
    "Attempt",
    "Certification",
    "Check",
    "Connection",
    "Delivery",
    "Moved",
    "Played",
    "Received",
    "Receiver",
    "Server",
    "Swiftclaw",
    "Webhook",
]

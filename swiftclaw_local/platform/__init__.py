"""The whole fake as one object: store, clock and engine wired, and what SwiftClaw does said in its own words."""

from swiftclaw_local.platform.platform import Platform

__all__ = ["Platform"]

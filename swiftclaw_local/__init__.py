"""SwiftClaw local: a SwiftClaw on your own machine, for developing and testing webhook receivers."""

__version__ = "0.1.0"

"""The deterministic simulation: the shipped core on an event loop whose time, order and accidents come from a seed."""

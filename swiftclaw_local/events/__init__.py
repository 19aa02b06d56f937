"""What SwiftClaw says: the event types, their samples, an event's bytes, and the sequences agents and deployments go through."""

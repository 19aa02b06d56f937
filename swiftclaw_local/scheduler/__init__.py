"""When: the retry policy, the clock, the wake-ups, and the alert rule."""

"""The door: the HTTP API, its guard, its OpenAPI document and metrics."""

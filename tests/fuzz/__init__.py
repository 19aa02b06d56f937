"""Whatever is sent to a running server: requests made up from its own OpenAPI document, and JSON that means harm."""

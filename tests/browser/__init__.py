"""The console in a real browser: `make browser` runs these; `make test` does not."""

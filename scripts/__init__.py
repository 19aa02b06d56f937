"""What the Makefile runs: set-up, locks, the demonstration of `make run`, and the generated pages of docs/reference."""

"""The sides of the bench: each is a program for a child process, `python -m tests.bench.sides SIDE '{"its": "settings"}'`."""

"""Measures the engine against a bare aiohttp loop on the same machine, in the same minutes: `python -m tests.bench`."""

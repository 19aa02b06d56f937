"""How it is sent: the engine, signing, requests, and the one HTTP client."""

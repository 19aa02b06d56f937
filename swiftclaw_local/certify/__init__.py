"""Is the receiver right? About forty real requests, judged by SwiftClaw's page; no store and no server is needed for it."""

"""Real processes under load that are killed, stopped and starved, with a judge outside of them."""

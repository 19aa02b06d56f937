"""The guards of the engine, each taken out in a copy of the code, to see that the simulation or a test misses it."""

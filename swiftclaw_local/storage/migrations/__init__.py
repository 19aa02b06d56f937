"""Alembic's scripts: one file per version of the schema, never changed once released.

A new one: change `tables`, raise SCHEMA_VERSION, add `versions/NNNN_what_it_does.py` (revision "NNNN"), written so that it
needs nothing of `tables`: it must make the same of an old database when the tables have changed again. A test compares.
"""

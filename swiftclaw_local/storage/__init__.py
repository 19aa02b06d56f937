"""What is remembered: tables, states, the store's verbs on SQLite, the reads, migrations, and secrets at rest."""

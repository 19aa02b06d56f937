"""What people type: commands over the API of a running server; they import no engine and answer in a fifth of a second."""

"""Stories to play against a receiver, and recordings of what was announced: their files, and the playing over the API."""

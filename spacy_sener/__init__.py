"""Long, nested entities and whole entity blocks in texts of any length, for spaCy."""

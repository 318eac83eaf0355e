"""A voice that hums for as long as the text would take to say."""

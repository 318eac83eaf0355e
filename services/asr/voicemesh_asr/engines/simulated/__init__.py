"""A recogniser that says set texts after set delays."""

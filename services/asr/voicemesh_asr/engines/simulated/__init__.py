"""A recogniser that returns set texts after set delays."""

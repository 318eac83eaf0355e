"""Does a text sound complete? Rules, one strategy a file."""

"""English by hibari, a small neural voice in one wheel with its library."""

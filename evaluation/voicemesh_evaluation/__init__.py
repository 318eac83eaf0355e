"""Measurements of a whole mesh: how well it hears, how fast it answers, what it costs."""

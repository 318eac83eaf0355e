"""A room as somebody else would ship it: one service, two engines."""

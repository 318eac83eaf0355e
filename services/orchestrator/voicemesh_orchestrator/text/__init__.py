"""The text of replies and hypotheses: cut into pieces, compared by words."""

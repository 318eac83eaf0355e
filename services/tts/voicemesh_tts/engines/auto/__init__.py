"""For each language the best voice that is here."""

"""A language model that writes set replies at a set pace."""

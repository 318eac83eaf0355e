"""Whose turn it is: the pure machine, its effects, stamps and speculation."""

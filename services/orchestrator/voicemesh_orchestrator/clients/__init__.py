"""Clients of a conversation: Converse streams and robots that are dialled."""

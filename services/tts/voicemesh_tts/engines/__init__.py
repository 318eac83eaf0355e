"""Voices behind one small protocol."""

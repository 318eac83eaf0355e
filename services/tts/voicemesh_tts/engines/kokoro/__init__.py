"""Mandarin by Kokoro, a neural voice of 82 million parameters."""

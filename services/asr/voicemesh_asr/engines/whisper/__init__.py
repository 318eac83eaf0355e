"""Whisper on a processor, and what all engines of this family share."""

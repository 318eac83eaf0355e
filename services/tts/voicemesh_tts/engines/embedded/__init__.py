"""Flite for English, espeak-ng for other languages, each in processes of their own."""

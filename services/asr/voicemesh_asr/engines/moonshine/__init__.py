"""Moonshine: English speech recognition of whole utterances on a processor."""

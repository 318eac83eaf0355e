"""Streaming with networks that read whole utterances: the utterance so far, again and again."""

"""Whisper on a Sophgo TPU, from the bmodels that the Sophgo demos ship.

From the audio to the text: ``session`` (one speaker) ─▶ ``jobs`` (who is next) ─▶
``transcriber`` (windows, languages, temperatures) ─▶ ``decoding`` (one window, one
temperature) ─▶ ``decoder`` (the graphs on the chip).
"""

"""The sample rate at which speech crosses the mesh."""

SPEECH_RATE_HERTZ = 16_000
"""What recognisers work at; sending more costs bandwidth and tells them nothing."""

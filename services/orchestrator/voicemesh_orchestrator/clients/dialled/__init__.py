"""Robots that the orchestrator dials: listening, playing, their speaker."""

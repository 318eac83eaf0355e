"""Replays the published stage times of chips that are not there."""

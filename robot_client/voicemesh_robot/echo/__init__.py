"""The robot's own voice in its microphone: found, taken out, and told of."""

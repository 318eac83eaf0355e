"""Streams to the services: recognition, generation, synthesis."""

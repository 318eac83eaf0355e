"""Smart Turn, an audio turn model."""

"""Audio files: read, written, streamed, and where speech ends in them."""

"""Audio files, and recordings on their way into a conversation."""

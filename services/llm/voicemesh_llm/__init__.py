"""The language model service: messages in, a reply in pieces out."""

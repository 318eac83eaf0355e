"""The kit that every part of the mesh shares and no part owns."""

__version__ = "0.1.0"

"""Stands for the vendor's package; see ``sail``."""

"""A stand-in for the vendor's package; see ``sail``."""

"""The vendor's package name, with a simulator inside; see ``sophon.sail``."""

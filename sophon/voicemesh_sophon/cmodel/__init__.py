"""The vendor's simulator behind sail's interface.

The chip owner puts this folder on its path when it is told to simulate, and then finds
the package ``sophon`` in it. ``fetch`` gets the simulator's libraries.
"""

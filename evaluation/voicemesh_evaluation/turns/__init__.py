"""How well turns are taken: material, measurements, a report."""

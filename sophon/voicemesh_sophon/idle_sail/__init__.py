"""A folder that goes ahead of the installed ``sophon``: a chip that does nothing."""

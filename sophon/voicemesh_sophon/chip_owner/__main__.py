"""``PYTHON path/to/chip_owner --socket ...``: own one chip."""

import sys
from pathlib import Path

if not __package__:
    # Started as a folder: make it the package that it is. Its siblings stay out of reach.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from chip_owner.command_line import main

    del sys.path[0]
else:
    from .command_line import main

if __name__ == "__main__":
    sys.exit(main())

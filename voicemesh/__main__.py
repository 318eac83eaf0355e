"""``python -m voicemesh`` is ``voicemesh``."""

import sys

from voicemesh.cli import main

sys.exit(main())

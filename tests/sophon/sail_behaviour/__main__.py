"""Run as ``python -m sail_behaviour KIND ASSETS CHIP``.

KIND is "stand-in" (with VOICEMESH_SOPHON_CHIP) or "installed". Prints a line of JSON for
each function: its name and the error, or null. A process of its own, because a simulator
is one chip for the life of a process and may end it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from . import CHECKS, STAND_IN_ONLY, Bench


def _sail(kind: str) -> Any:
    if kind == "stand-in":
        from voicemesh_sophon.cmodel.sophon import sail as stand_in

        return stand_in
    from sophon import sail

    return sail


def main(kind: str, assets: str, target: str) -> None:
    bench = Bench(_sail(kind), Path(assets), target)
    for name, function in CHECKS.items():
        if kind == "stand-in" or name not in STAND_IN_ONLY:
            try:
                function(bench)
                said = None
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
            sys.stdout.write(json.dumps([name, said]) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

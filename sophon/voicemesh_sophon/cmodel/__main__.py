"""``python -m voicemesh_sophon.cmodel``, which is ``scripts/fetch_simulator``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from voicemesh.errors import EngineMissing
from voicemesh_sophon.cmodel.fetch import fetch
from voicemesh_sophon.cmodel.sophon.simulator import location


def main() -> int:
    """Fetch what is missing; exit status 1 where that cannot be."""
    parser = argparse.ArgumentParser(
        prog="fetch_simulator",
        description=f"Takes the simulator's libraries out of {location.PACKAGE} (312 MB, fetched "
        f"with pip) into {location.root()}. {location.FOLDER_VARIABLE} names another folder.",
    )
    parser.add_argument("chips", nargs="*", metavar="chip", help="bm1688, bm1684x; both if none")
    parser.add_argument("--package", type=Path, help="the wheel, if it is on this machine already")
    options = parser.parse_args()
    chips = [chip.lower() for chip in options.chips] or list(location.CHIPS)
    unknown = [chip for chip in chips if chip not in location.CHIPS]
    if unknown:
        parser.error(f"no simulator of {', '.join(unknown)}; there is {', '.join(location.CHIPS)}")
    try:
        done = fetch(chips, options.package)
    except EngineMissing as error:
        print(f"fetch_simulator: {error}", file=sys.stderr)
        return 1
    print(f"{'fetched' if done else 'already there'}: {location.root()}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

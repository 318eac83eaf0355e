"""The life of an owner process: arguments, signals, its end."""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import os
import signal
import sys
import threading

from . import condition, model_checks, scheduler
from .hang_watch import HangWatch
from .sail_chip import ChipError, SailChip
from .server import OwnerServer, SocketClaim, SocketTaken
from .shared_chip import SharedChip
from .vendor_errors import explained
from .vendor_output import VendorOutput
from .versions import too_old

WRONG_SETTINGS = 2
"""Another attempt would end the same way."""
CHIP_LOST = 3
_CLOSE_S = 3.0
"""For the steps under way at the end. A supervisor kills after 5 s."""
_PR_SET_PDEATHSIG = 1


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chip_owner", description="own one Sophgo chip")
    parser.add_argument("--socket", required=True, help="Unix socket to listen on")
    parser.add_argument("--device", type=int, default=0, help="the runtime's number of the chip")
    parser.add_argument(
        "--sail-folder", help="put this folder ahead of the installed sophon.sail: the simulator's"
    )
    parser.add_argument("--chip", default="", help="its name where sail cannot tell: BM1688")
    parser.add_argument("--parent", type=int, help="die with this process, which started the owner")
    parser.add_argument(
        "--condition-every-s",
        type=float,
        default=condition.EVERY_S,
        help="seconds between two looks at memory, utilisation and temperature; "
        f"default: {condition.EVERY_S}",
    )
    parser.add_argument(
        "--check-every-s",
        type=float,
        default=model_checks.EVERY_S,
        help="seconds between two checks of the models while nobody works, 0: none; "
        f"default: {model_checks.EVERY_S}",
    )
    parser.add_argument(
        "--launch-within-s",
        type=float,
        default=scheduler.LAUNCH_WITHIN_S,
        help="seconds after which a launch hangs, and the owner ends; "
        f"default: {scheduler.LAUNCH_WITHIN_S}",
    )
    parser.add_argument(
        "--load-within-s",
        type=float,
        default=scheduler.LOAD_WITHIN_S,
        help=f"the same for loading a model; default: {scheduler.LOAD_WITHIN_S}",
    )
    return parser.parse_args(argv)


def _die_with(parent: int | None) -> None:
    if parent is None:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def main(argv: list[str] | None = None) -> int:
    """Own the chip until SIGTERM or SIGINT; returns the exit status."""
    options = _arguments(argv)
    _die_with(options.parent)
    try:
        claim = SocketClaim(options.socket)
        output = VendorOutput(options.socket + ".output")
    except (SocketTaken, OSError) as error:
        print(f"chip owner: {error}", file=sys.stderr)
        return WRONG_SETTINGS
    # The libraries may end the process in the middle of a call: the log tells of which.
    faulthandler.enable(sys.stderr)
    if output.before:
        print(f"what ended the owner before may be: {explained(output.before)}", file=sys.stderr)
    stop = threading.Event()
    status: list[int] = [0]
    farewell: dict[str, str] = {}

    def lost(cause: str, why: str) -> None:
        print(f"chip {options.device} is taken to be lost: {why}", file=sys.stderr)
        farewell.update(cause=cause, lost=why)
        status[0] = CHIP_LOST
        stop.set()

    if options.sail_folder:
        sys.path.insert(0, options.sail_folder)
        os.environ["VOICEMESH_SOPHON_CHIP"] = options.chip.lower()
    try:
        chip = SailChip(options.device, bool(options.sail_folder), options.chip)
        shared = SharedChip(chip, output, lost)
        server = OwnerServer(claim, shared, options.condition_every_s, options.check_every_s)
    except (ChipError, OSError) as error:
        said = " | ".join([str(error), *output.failures()[-3:]])
        print(f"chip owner: {said}", file=sys.stderr)
        return WRONG_SETTINGS
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    kind = "a simulator of " if chip.simulated else ""
    print(
        f"chip {options.device}: {kind}{chip.target or 'an unknown chip'}, "
        f"sail {chip.versions['sail']}, on {options.socket}",
        file=sys.stderr,
    )
    for cost, cure in too_old(chip.versions).values():
        print(f"chip {options.device}: {cost}; {cure}", file=sys.stderr)
    threading.Thread(target=server.serve, name="owner server", daemon=True).start()
    watch = HangWatch(
        shared.scheduler,
        options.launch_within_s,
        options.load_within_s,
        lambda why: lost("hung", why),
    )
    stop.wait()
    server.close(_CLOSE_S, farewell)
    watch.close()
    left = shared.scheduler.running()
    if left:
        # Nobody can end them but the process, and a regular exit would wait for the chip:
        # the vendor's libraries close it then.
        print(f"chip {options.device}: ending in the middle of {', '.join(left)}", file=sys.stderr)
        faulthandler.dump_traceback(sys.stderr, all_threads=True)
        sys.stderr.flush()
        os._exit(status[0])
    output.close()
    return status[0]

"""``voicemesh``: the door to all commands.

Nothing heavy is imported here, so that Ctrl-C is understood before anything is.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def _ended_by_ctrl_c() -> Iterator[None]:
    """Meanwhile Ctrl-C ends the process at once.

    As an exception it would surface within somebody's import, as a traceback. Who
    ignores it, as a command in a shell's background does, goes on ignoring it.
    """
    usual = signal.getsignal(signal.SIGINT)
    if usual is not signal.default_int_handler or (
        threading.current_thread() is not threading.main_thread()
    ):
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def _tell(error: Exception) -> None:
    """One line on standard error: JSON where this process's log is."""
    logs = sys.modules.get("voicemesh.logs")  # A command that logs nothing does without.
    if logs is not None and logs.writes_json():
        logs.log.error("%s", error)
    else:
        sys.stderr.write(f"voicemesh: {error}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``voicemesh``; one line on standard error when something is wrong.

    Returns the exit status of the error, such as 2 for wrong settings.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    with _ended_by_ctrl_c():  # There is nothing to clean up yet.
        from voicemesh import command_line
        from voicemesh.errors import VoiceMeshError
    try:
        with _ended_by_ctrl_c():
            options, settings = command_line.read(given)
        status: int = options.run(options, settings)
    except VoiceMeshError as error:
        _tell(error)
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # Whoever read our output has had enough of it.
        sys.stdout = None
        return 0
    return status

"""The process that owns a chip, started from here."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO

from voicemesh.errors import Unavailable
from voicemesh_sophon.client.owner_link import OwnerLink
from voicemesh_sophon.devices import DevicesSettings
from voicemesh_sophon.placing.placement import Placement

OWNER = Path(__file__).parent / "chip_owner"
SIMULATOR = Path(__file__).parent / "cmodel"
IDLE_SAIL = Path(__file__).parent / "idle_sail"
"""Stands for a chip that does nothing, where the host's own work is measured."""
_READY_WITHIN_S = 60.0
_STOP_WITHIN_S = 20.0
_LOOK_S = 0.02


def owner_command(
    devices: DevicesSettings, device: int, parent: int | None = None, sail: Path = SIMULATOR
) -> list[str]:
    """The command line that owns a chip. ``parent``: the process that it shall die with.

    ``sail``: the folder of what is simulated with, where the chips are. The folder of its
    socket is made here, for this user alone.
    """
    socket = devices.socket(device)
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    python = str(devices.owner_python or sys.executable)
    # Every simulator is a process of its own, and knows but one chip.
    number = 0 if devices.simulated else device
    command = [python, str(OWNER), "--socket", str(socket), "--device", str(number)]
    command += ["--launch-within-s", str(devices.launch_within_s)]
    command += ["--check-every-s", str(devices.check_models_every_s)]
    if devices.simulated:
        command += ["--sail-folder", str(sail), "--chip", devices.simulated_chip]
    if parent is not None:
        command += ["--parent", str(parent)]
    return command


class OwnerProcess:
    """A chip's owner for as long as the context is held: for self-tests and tests."""

    def __init__(
        self,
        devices: DevicesSettings,
        device: int = 0,
        log: IO[bytes] | None = None,
        sail: Path = SIMULATOR,
    ) -> None:
        """Nothing runs before the context is entered. ``log`` takes what it says.

        ``sail``: the folder of what is simulated with, where the chips are.
        """
        self._sail = sail
        self._devices = devices
        self._device = device
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The owner's process id; 0 before it runs."""
        return self._process.pid if self._process else 0

    def placement(
        self, service: str, cores: tuple[int, ...] = (), memory_mb: int | None = None
    ) -> Placement:
        """A place on the chip."""
        socket = self._devices.socket(self._device)
        return Placement(service, socket, self._device, cores, memory_mb)

    def __enter__(self) -> OwnerProcess:
        """Start it and wait until it answers; Unavailable where it ends instead."""
        command = owner_command(self._devices, self._device, os.getpid(), self._sail)
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=self._log)
        try:
            self._wait_for_answer(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def _wait_for_answer(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + _READY_WITHIN_S
        while not self._answers():
            if process.poll() is not None or time.monotonic() > until:
                raise Unavailable(
                    f"the owner of chip {self._device} does not start; what it says stands above"
                )
            time.sleep(_LOOK_S)

    def _answers(self) -> bool:
        try:
            OwnerLink(self.placement("asr")).close()
        except Unavailable:
            return False
        return True

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it in order."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

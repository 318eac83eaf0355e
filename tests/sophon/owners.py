"""Owners of scripted chips, and what a client that keeps to no rules can send them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from voicemesh_sophon.chip_owner import wire
from voicemesh_sophon.client import Chip
from voicemesh_sophon.owner_process import OWNER
from voicemesh_sophon.placing.placement import Placement

STAND_IN = Path(__file__).parent / "scripted_sail"


class RunningLaunch:
    """A launch on a chip with a gate."""

    def __init__(self, gate: socket.socket) -> None:
        self._gate = gate
        self.what = gate.recv(100).decode()
        """Its network and cores."""

    def end(self) -> None:
        self._gate.close()


class ScriptedOwner:
    """The real owner process over ``scripted_sail``; its folder is the script."""

    def __init__(
        self,
        folder: Path,
        gated: bool = False,
        sail: str = "3.10.7",
        condition_every_s: float = 60.0,
        check_every_s: float = 0.0,
        launch_within_s: float = 60.0,
        load_within_s: float = 60.0,
    ) -> None:
        """``sail``: the version whose manners the chip's library has.

        The times are long, so that a test that is not about them sees nothing of them.
        """
        self.folder = folder
        self.socket = folder / "chip"
        self._gate = socket.socket(socket.AF_UNIX)
        if gated:
            self.gate()
        script = {"SCRIPTED_SAIL": str(folder), "SCRIPTED_SAIL_VERSION": sail}
        command = [
            *(sys.executable, str(OWNER), "--socket", str(self.socket)),
            *("--sail-folder", str(STAND_IN), "--chip", "BM1688", "--parent", str(os.getpid())),
            *("--condition-every-s", str(condition_every_s)),
            *("--check-every-s", str(check_every_s)),
            *("--launch-within-s", str(launch_within_s)),
            *("--load-within-s", str(load_within_s)),
        ]
        self.process = subprocess.Popen(
            command, env=os.environ | script, stderr=subprocess.PIPE, text=True
        )
        self.said: list[str] = []
        assert self.process.stderr is not None
        for line in self.process.stderr:  # The last thing it says before it lets clients in.
            self.said.append(line)
            if f"on {self.socket}" in line:
                break
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._chips: list[Chip] = []

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self.said += self.process.stderr

    def placement(
        self, service: str, cores: tuple[int, ...] = (), memory_mb: int | None = None
    ) -> Placement:
        return Placement(service, self.socket, 0, cores, memory_mb)

    def open(self, service: str, cores: tuple[int, ...] = (), memory_mb: int | None = None) -> Chip:
        """A client of its, closed when the test ends."""
        self._chips.append(Chip.open(self.placement(service, cores, memory_mb)))
        return self._chips[-1]

    def gate(self) -> None:
        """Launches wait for the test from now on."""
        self._gate.bind(str(self.folder / "gate"))
        self._gate.listen()

    def script(self, manner: str) -> None:
        (self.folder / "manner").write_text(manner)

    def loaded(self) -> list[str]:
        """The bmodels that its library has loaded, by name."""
        return [Path(line).name for line in (self.folder / "loaded").read_text().splitlines()]

    def asked(self) -> list[str]:
        """The questions about the chip's condition, each with the launches under way."""
        asked = self.folder / "asked"
        return asked.read_text().splitlines() if asked.exists() else []

    def began(self) -> RunningLaunch:
        """Wait for the next launch; it runs until the test ends it."""
        return RunningLaunch(self._gate.accept()[0])

    def news(self) -> dict[str, Any]:
        """What it tells a watcher."""
        with self.raw() as sock:
            wire.send(sock, {"protocol": wire.PROTOCOL, "service": wire.WATCH})
            wire.receive(sock)
            wire.send(sock, {})
            return wire.receive(sock)[0]

    def raw(self) -> socket.socket:
        """A connection that nothing has been said on."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(str(self.socket))
        return sock

    def stop(self) -> int:
        """End it in order: its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end: its exit status. ``said`` is whole then."""
        status = self.process.wait(20)
        self._listener.join()
        return status

    def clean_up(self) -> None:
        """End it however it is, and all its clients."""
        for chip in self._chips:
            chip.close()
        self.process.kill()
        self.process.wait()
        self._listener.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        self._gate.close()

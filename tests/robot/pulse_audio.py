"""A private PulseAudio daemon with null sinks: a sound card for tests, without hardware.

What is played into ``micfeed`` is heard by the microphone; what the speaker plays
can be recorded from its monitor.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicemesh_robot.files.audio_file import write_wav

RATE_HERTZ = 16_000

Samples = NDArray[np.int16]

_MODULES = """\
load-module module-native-protocol-unix auth-anonymous=1 socket={socket}
load-module module-null-sink sink_name=micfeed rate=48000
"""
_DEVICES = {
    "speaker": ("module-null-sink", "sink_name=speaker", "rate=48000"),
    "mic": ("module-remap-source", "source_name=mic", "master=micfeed.monitor"),
}
_ASOUND = """\
pcm.!default { type pulse }
ctl.!default { type pulse }
pcm.pulse { type pulse }
"""
_START_S = 20.0


class PulseAudio:
    """The daemon, and what a test does with it."""

    def __init__(self, folder: Path) -> None:
        for name in ("runtime", "state", "home"):
            (folder / name).mkdir(mode=0o700)
        self._folder = folder
        self._socket = folder / "runtime" / "native"
        self._asound = folder / "asound.conf"
        self._asound.write_text(_ASOUND)
        (folder / "default.pa").write_text(_MODULES.format(socket=self._socket))
        self._process: asyncio.subprocess.Process | None = None
        self._plugged: dict[str, str] = {}

    @property
    def environment(self) -> dict[str, str]:
        """For processes that are to use this daemon."""
        return os.environ | {
            "PULSE_RUNTIME_PATH": str(self._folder / "runtime"),
            "PULSE_STATE_PATH": str(self._folder / "state"),
            "PULSE_CONFIG_PATH": str(self._folder / "home"),
            "PULSE_COOKIE": str(self._folder / "home" / "cookie"),
            "PULSE_SERVER": f"unix:{self._socket}",
            "ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{self._asound}",
            "PYTHONUNBUFFERED": "1",
        }

    async def start(self) -> None:
        """Start the daemon, wait until it answers and plug its devices in."""
        with (self._folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no"),
                *("--exit-idle-time=-1", "--high-priority=no", "--realtime=no"),
                *("-F", str(self._folder / "default.pa")),
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            async with asyncio.timeout(_START_S):
                while not await self._answers():
                    assert self._process.returncode is None
        except (TimeoutError, AssertionError) as error:
            raise AssertionError((self._folder / "log").read_text()) from error
        for device in _DEVICES:
            await self.plug_in(device)

    async def _answers(self) -> bool:
        quiet = asyncio.subprocess.DEVNULL
        asking = await asyncio.create_subprocess_exec(
            *("pactl", "info"), env=self.environment, stdout=quiet, stderr=quiet
        )
        return await asking.wait() == 0

    async def kill(self) -> None:
        """The sound card disappears."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()
        self._socket.unlink(missing_ok=True)

    async def say(self, samples: Samples, sink: str = "micfeed") -> None:
        """Begin to play samples (16 kHz) into the microphone, or another sink.

        The daemon has all of them before the first one is played, so that no
        client can be too late with the rest, however busy the machine is.
        """
        file = self._folder / "said.wav"
        write_wav(file, samples, RATE_HERTZ)
        await self.control("upload-sample", str(file), "said")
        await self.control("play-sample", "said", sink)

    async def unplug(self, device: str) -> None:
        """Take ``mic`` or ``speaker`` away."""
        await self.control("unload-module", self._plugged.pop(device))

    async def plug_in(self, device: str) -> None:
        """Load the module of a device, as the default one."""
        kind = "source" if device == "mic" else "sink"
        self._plugged[device] = (await self.control("load-module", *_DEVICES[device])).strip()
        await self.control(f"set-default-{kind}", device)

    async def control(self, *command: str) -> str:
        """Have the daemon do something; what it says."""
        process = await asyncio.create_subprocess_exec(
            *("pactl", *command), env=self.environment, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, command
        return said.decode()

    @asynccontextmanager
    async def recording(self, source: str = "speaker.monitor") -> AsyncIterator[Recorded]:
        """What comes from a source meanwhile; by default what the speaker plays."""
        recorder = await asyncio.create_subprocess_exec(
            *("parec", f"--device={source}", "--raw", "--format=s16le"),
            *(f"--rate={RATE_HERTZ}", "--channels=1", "--latency-msec=20"),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
        )
        recorded = Recorded(recorder)
        try:
            yield recorded
        finally:
            await recorded.close()

    @asynccontextmanager
    async def command(self, *arguments: str) -> AsyncIterator[Command]:
        """``voicemesh ARGUMENTS`` with this sound card."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "voicemesh", *arguments),
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            yield Command(process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


class Recorded:
    """A recording that goes on."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._data = bytearray()
        self._grown = asyncio.Condition()
        self._task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while data := await self._process.stdout.read(4096):
            self._data += data
            async with self._grown:
                self._grown.notify_all()

    @property
    def samples(self) -> Samples:
        """All that was heard so far, shape (n,), int16, 16 kHz."""
        even = len(self._data) // 2 * 2
        return np.frombuffer(bytes(self._data[:even]), dtype=np.int16)

    async def running(self) -> None:
        """Wait until the recorder delivers."""
        async with self._grown:
            await self._grown.wait_for(lambda: len(self._data) > 0)

    async def loud(self, begin: int = 0) -> None:
        """Wait until something has been heard after the sample ``begin``."""
        async with self._grown:
            await self._grown.wait_for(lambda: bool(self.samples[begin:].any()))

    async def wait_for_silence(self, seconds: float = 0.5, begin: int = 0) -> Samples:
        """Wait until something was heard and then nothing for so long; what was heard.

        The sound server plays and records behind the clock, so that the end of a
        turn is no sign that its sound has arrived here. ``begin``: the first sample.
        """
        count = int(seconds * RATE_HERTZ)

        def over() -> bool:
            samples = self.samples[begin:]
            return bool(samples.any()) and not samples[-count:].any()

        async with self._grown:
            await self._grown.wait_for(over)
        return self.samples[begin:]

    async def close(self) -> None:
        """Stop the recorder."""
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()
        await self._task


class Command:
    """A command that runs, and what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def line(self, having: str) -> str:
        """Read on until a line has ``having`` in it."""
        assert self.process.stdout is not None
        while data := await self.process.stdout.readline():
            self.lines.append(data.decode().rstrip("\n"))
            if having in self.lines[-1]:
                return self.lines[-1]
        raise AssertionError(f"no line with {having!r}:\n" + "\n".join(self.lines))

    async def end(self) -> int:
        """Read to the end; the exit status."""
        assert self.process.stdout is not None
        rest = (await self.process.stdout.read()).decode()
        self.lines += rest.splitlines()
        return await self.process.wait()


def matching_share(heard: Samples, said: Samples, segment: int = 4_000) -> float:
    """How much of ``said`` is found in ``heard``: the share of its loud segments.

    A segment is found where it correlates with some place of ``heard`` by more than
    0.9; each is looked for by itself, so that slips between them do not matter.
    """
    wide = heard.astype(np.float64)
    size = 1 << int(np.ceil(np.log2(len(wide) + segment)))
    spectrum = np.fft.rfft(wide, size)
    energy = np.concatenate([[0.0], np.cumsum(wide**2)])
    found = loud = 0
    for begin in range(0, len(said) - segment + 1, segment):
        part = said[begin : begin + segment].astype(np.float64)
        norm = np.sqrt(np.dot(part, part))
        if norm < 300 * np.sqrt(segment):
            continue
        loud += 1
        products = np.fft.irfft(spectrum * np.conj(np.fft.rfft(part, size)), size)
        places = len(wide) - segment + 1
        local = np.sqrt(np.maximum(energy[segment:] - energy[:-segment], 1.0))
        found += bool((products[:places] / (local * norm)).max() > 0.9)
    assert loud, "nothing loud was said"
    return found / loud

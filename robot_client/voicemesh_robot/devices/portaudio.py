"""Sound cards through PyAudio. Its library is imported when the first one is used.

PortAudio calls back on a thread of its own, once a buffer. Input goes to the
event loop; output is pulled from whoever plays. It learns of devices that were
plugged in only while no stream is open, so a device that cannot be found makes
all streams start anew.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voicemesh.aio import uninterrupted
from voicemesh.errors import EngineMissing, VoiceMeshError
from voicemesh.v1 import common_pb2 as pb
from voicemesh.workers import ThreadWorker
from voicemesh_robot import metrics
from voicemesh_robot.devices.cards import CardInfo, choose_card
from voicemesh_robot.devices.device import DeviceLost
from voicemesh_robot.speech_rate import SPEECH_RATE_HERTZ

if TYPE_CHECKING:
    from pyaudio import PyAudio, Stream

_RESCAN_EVERY_S = 10.0
_CONTINUE = 0  # PortAudio's paContinue.
_INT16 = 8  # PortAudio's paInt16.
_OUTPUT_UNDERFLOW = 4  # PortAudio's paOutputUnderflow.

Callback = Callable[[bytes | None, int, float, int], bytes | None]
"""``callback(input, frames, latency_s, channels)`` returns output, on PortAudio's thread."""


@dataclass(frozen=True)
class _Wish:
    """The stream that somebody wants; see PortAudio.open."""

    card: str
    is_input: bool
    rate_hertz: int
    buffer_ms: int
    callback: Callback
    lost: Callable[[DeviceLost], None]


_ALSA_HANDLER = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)
_JACK_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p)


# Kept here because C code calls them as long as the process lives. They drop what
# ALSA says about every card that is not there, and JACK about a missing server.
_quiet_alsa = _ALSA_HANDLER(lambda *_: None)
_quiet_jack = _JACK_HANDLER(lambda _: None)


def _silence_libraries() -> None:
    """Keep the libraries below PortAudio from writing to standard error."""
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_quiet_alsa)
    with suppress(OSError, AttributeError):
        jack = ctypes.CDLL("libjack.so.0")
        jack.jack_set_error_function(_quiet_jack)
        jack.jack_set_info_function(_quiet_jack)


def _pyaudio() -> Any:
    try:
        import pyaudio
    except ImportError:
        raise EngineMissing(
            "sound cards need PyAudio, which is not installed; apt-get install portaudio19-dev "
            "gcc python3-dev, then pip install 'voicemesh-robot[audio]', or use --audio-in and "
            "--output-file",
            stage=pb.STAGE_ROBOT,
        ) from None
    return pyaudio


def check_installed() -> None:
    """EngineMissing where PyAudio is not installed."""
    _pyaudio()


def _adapted(callback: Callback, channels: int) -> Callable[..., tuple[bytes | None, int]]:
    def called(
        data: bytes | None, frames: int, timing: Mapping[str, float], status: int
    ) -> tuple[bytes | None, int]:
        if status & _OUTPUT_UNDERFLOW:
            metrics.UNDERRUNS.inc()
        latency_s = timing["output_buffer_dac_time"] - timing["current_time"]
        return callback(data, frames, latency_s, channels), _CONTINUE

    return called


@dataclass(frozen=True, eq=False)
class OpenStream:
    """A stream that PortAudio serves."""

    stream: Stream
    rate_hertz: int
    name: str


class PortAudio:
    """The sound cards of this machine; all PortAudio calls run on one thread."""

    def __init__(self) -> None:
        """Nothing is initialised yet."""
        self._worker = ThreadWorker("portaudio")
        self._library: PyAudio | None = None
        self._rescanned_s = -_RESCAN_EVERY_S
        self._streams: dict[Stream, Callable[[DeviceLost], None]] = {}

    def _initialised(self) -> PyAudio:
        if self._library is None:
            _silence_libraries()
            self._library = _pyaudio().PyAudio()
        return self._library

    def _terminate(self) -> None:
        library, self._library = self._library, None
        if library is not None:
            library.terminate()

    async def cards(self) -> list[CardInfo]:
        """All devices, as PortAudio counts them."""
        _pyaudio()
        return await self._worker.run(self._cards)

    def _cards(self) -> list[CardInfo]:
        library = self._initialised()
        defaults = []
        for look in (library.get_default_input_device_info, library.get_default_output_device_info):
            try:
                defaults.append(look()["index"])
            except OSError:
                defaults.append(-1)
        apis = [
            str(library.get_host_api_info_by_index(number)["name"])
            for number in range(library.get_host_api_count())
        ]
        return [
            self._card(library.get_device_info_by_index(number), apis, defaults)
            for number in range(library.get_device_count())
        ]

    def _card(self, info: Mapping[str, Any], apis: list[str], defaults: list[Any]) -> CardInfo:
        index = int(info["index"])
        return CardInfo(
            index=index,
            name=str(info["name"]),
            api=apis[int(info["hostApi"])],
            input_channels=int(info["maxInputChannels"]),
            output_channels=int(info["maxOutputChannels"]),
            rate_hertz=int(info["defaultSampleRate"]),
            default_input=index == defaults[0],
            default_output=index == defaults[1],
        )

    async def open(
        self,
        wanted: str,
        is_input: bool,
        rate_hertz: int,
        buffer_ms: int,
        callback: Callback,
        lost: Callable[[DeviceLost], None],
    ) -> OpenStream:
        """A running stream; DeviceLost where the device is not there.

        ``callback`` is called by PortAudio for every buffer of ``buffer_ms``; the
        device holds two. ``rate_hertz`` 0: 16000 where the device can. ``lost`` is
        told when the stream must be opened again.
        """
        _pyaudio()
        wish = _Wish(wanted, is_input, rate_hertz, buffer_ms, callback, lost)
        opening = asyncio.ensure_future(self._worker.run(self._open, wish))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The thread goes on; what it opens is closed again.
            await uninterrupted(self._close_unwanted(opening), "close what nobody waits for")
            raise

    async def _close_unwanted(self, opening: asyncio.Future[OpenStream]) -> None:
        with suppress(VoiceMeshError):
            await self.close(await opening)

    def _open(self, wish: _Wish) -> OpenStream:
        try:
            return self._opened(wish)
        except DeviceLost:
            if not self._streams:
                self._terminate()  # The next try looks anew.
            raise

    def _opened(self, wish: _Wish) -> OpenStream:
        is_input = wish.is_input
        kind = "microphone" if is_input else "speaker"
        card = choose_card(self._cards(), wish.card, is_input)
        most = card.input_channels if is_input else card.output_channels
        rates = [wish.rate_hertz] if wish.rate_hertz else [SPEECH_RATE_HERTZ, card.rate_hertz]
        problem: Exception | None = None
        for rate in dict.fromkeys(rates):
            for channels in dict.fromkeys((1, min(2, most))):
                try:
                    stream = self._initialised().open(
                        rate=rate,
                        channels=channels,
                        format=_INT16,
                        input=is_input,
                        output=not is_input,
                        input_device_index=card.index if is_input else None,
                        output_device_index=None if is_input else card.index,
                        frames_per_buffer=rate * wish.buffer_ms // 1000,
                        stream_callback=_adapted(wish.callback, channels),
                    )
                except (OSError, ValueError) as error:
                    problem = error
                    continue
                self._streams[stream] = wish.lost
                return OpenStream(stream, rate, card.name)
        raise DeviceLost(
            f"the {kind} {card.name} cannot be opened ({problem}); is another program using it? "
            "`voicemesh devices` lists what is there"
        )

    async def close(self, opened: OpenStream) -> None:
        """End a stream; with the last one the library is shut down, to look anew later."""
        await self._worker.run(self._close, opened.stream)

    def _close(self, stream: Stream) -> None:
        self._streams.pop(stream, None)
        with suppress(OSError):
            stream.close()
        if not self._streams:
            self._terminate()

    def rescan(self) -> None:
        """Have all streams opened anew, so that PortAudio sees what was plugged in.

        Not more often than every 10 s, since it interrupts what is played.
        """
        now_s = time.monotonic()
        if now_s - self._rescanned_s < _RESCAN_EVERY_S:
            return
        self._rescanned_s = now_s
        error = DeviceLost("the sound system is looked at anew")
        for lost in list(self._streams.values()):
            lost(error)

    async def is_running(self, opened: OpenStream) -> bool:
        """Whether PortAudio still serves a stream."""
        return await self._worker.run(self._is_running, opened.stream)

    def _is_running(self, stream: Stream) -> bool:
        try:
            return bool(stream.is_active())
        except OSError:
            return False

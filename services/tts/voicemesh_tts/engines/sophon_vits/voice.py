"""The Mandarin voice: a unit of text through the chip, window by window."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import ParamSpec, TypeVar

import numpy as np

from voicemesh.errors import EngineError, Unavailable
from voicemesh.work_counter import WorkCounter
from voicemesh.workers import ThreadWorker
from voicemesh_tts import metrics
from voicemesh_tts.audio.levelling import gain_to
from voicemesh_tts.engines.engine import SpokenChunk
from voicemesh_tts.engines.mandarin.clauses import Reader
from voicemesh_tts.engines.sophon_vits.encoding import encode
from voicemesh_tts.engines.sophon_vits.networks import VitsNetworks, Waveform
from voicemesh_tts.engines.sophon_vits.settings import SophonVitsSettings
from voicemesh_tts.engines.sophon_vits.speech import Finishing, chunks
from voicemesh_tts.engines.sophon_vits.vocabulary import BertVocabulary
from voicemesh_tts.engines.sophon_vits.windows import LaunchWindow, halves, plan

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

# Spoken at load: it shows that the bmodels work, and how loud the voice is.
_SELF_TEST = "你好, 今天天气很好, 我们一起去公园散步吧."
# Seconds a syllable in it; slow and fast speakers lie well within.
_SHORTEST_SYLLABLE_S, _LONGEST_SYLLABLE_S = 0.05, 0.7


class MandarinVoice:
    """Synthesises units of Chinese text. Calls may overlap: they take turns at each launch."""

    def __init__(
        self,
        networks: VitsNetworks,
        reader: Reader,
        vocabulary: BertVocabulary,
        settings: SophonVitsSettings,
        chip_worker: ThreadWorker,
    ) -> None:
        """``chip_worker``: the thread that alone speaks to the chip."""
        self._networks = networks
        self._reader = reader
        self._vocabulary = vocabulary
        self._settings = settings
        self._chip_worker = chip_worker
        self._host_worker = ThreadWorker("sophon-vits host")
        self._finishing = Finishing(settings)
        self._closed = False

    async def measure(self, target_dbfs: float) -> None:
        """Say a sentence for a test, and bring the voice to a level.

        EngineError when what comes is no speech.
        """
        phonetic = await self._on_host(self._reader.read, _SELF_TEST)
        (window,) = plan(phonetic.clauses, self._networks.capacity)
        rate_hertz = self._settings.sample_rate_hertz
        waveform = await self._waveform(window, WorkCounter())
        speech = self._finishing.speech(waveform.samples)
        length = len(speech) / rate_hertz / len(window.characters)
        if (
            not np.isfinite(waveform.samples).all()
            or not 1 <= waveform.frames <= self._networks.frames
            or not _SHORTEST_SYLLABLE_S < length < _LONGEST_SYLLABLE_S
        ):
            raise EngineError(
                f"{self._networks.names}: the self-test gave no speech ({len(speech)} audible "
                f"samples in {waveform.frames:g} frames for {len(window.characters)} syllables); "
                "the files are damaged, or are no vits_chinese bmodels, or tts.sophon_vits."
                "sample_rate_hertz and hop_samples are wrong"
            )
        self._finishing.gain = gain_to(target_dbfs, self._finishing.samples(speech), rate_hertz)

    async def speak(
        self, text: str, rate: float, counter: WorkCounter
    ) -> AsyncGenerator[SpokenChunk, None]:
        """See :class:`voicemesh_tts.engines.engine.Synthesizer`."""
        phonetic = await self._on_host(self._reader.read, text)
        if phonetic.dropped:
            metrics.UNSPOKEN_CHARACTERS.inc(len(phonetic.dropped))
            log.debug("characters that cannot be spoken: %s", phonetic.dropped)
        first = self._settings.first_window_characters
        waiting = deque(plan(phonetic.clauses, self._networks.capacity, first))
        begin = 0
        while waiting:
            window = waiting.popleft()
            waveform = await self._waveform(window, counter)
            if waveform.frames > self._networks.frames:
                waiting.extendleft(reversed(self._shorter(window)))
                continue
            speech = await self._on_host(self._finishing.finished, waveform.samples, rate)
            pause = self._finishing.pause(window, rate)
            end = waiting[0].characters[0].begin if waiting else len(text)
            for chunk in chunks(
                speech,
                pause if waiting else pause[:0],
                window,
                begin,
                end,
                self._settings.sample_rate_hertz,
            ):
                yield chunk
            begin = end

    async def _waveform(self, window: LaunchWindow, counter: WorkCounter) -> Waveform:
        """Two launches; who leaves between them spares the chip the long one."""
        encoded = encode(window, self._vocabulary)
        prosody = await self._on_chip(counter, self._networks.prosody, encoded)

        def speak() -> Waveform:
            waveform = self._networks.speak(encoded, prosody)
            counter.spend()
            return waveform

        return await self._on_chip(counter, speak)

    def _shorter(self, window: LaunchWindow) -> list[LaunchWindow]:
        """A window whose speech is longer than the buffer, in two."""
        metrics.SPLIT_WINDOWS.inc()
        parts = halves(window)
        if len(parts) == 1:
            raise EngineError(
                f"{self._networks.names}: one syllable takes more than the {self._networks.frames} "
                "frames of the buffer; the files are damaged"
            )
        return parts

    async def _on_host(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._check_open()
        return await self._host_worker.run(function, *args, **kwargs)

    async def _on_chip(
        self, counter: WorkCounter, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """A launch. Who leaves meanwhile waits for its end, for it cannot be broken off."""
        self._check_open()
        return await self._chip_worker.spend(counter, function, *args, **kwargs)

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the voice is being loaded again; try again shortly")

    async def close(self) -> None:
        """Take no more calls, let those under way in the host's thread end, and free it."""
        self._closed = True
        await self._host_worker.run(lambda: None)
        self._host_worker.close()

"""The engine: Mandarin in the service's own process, a part of a sentence at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from onnxruntime import RunOptions

from voicemesh.audio import Samples
from voicemesh.cores import usable_cores
from voicemesh.errors import EngineError, EngineMissing, Unavailable
from voicemesh.models.store import ModelStore
from voicemesh.work_counter import WorkCounter
from voicemesh.workers import ThreadWorker
from voicemesh_tts import metrics
from voicemesh_tts.audio.levelling import gain_to
from voicemesh_tts.engines.engine import Capabilities, SpokenChunk, Voice
from voicemesh_tts.engines.kokoro.parts import Part, characters, parts
from voicemesh_tts.engines.kokoro.settings import MODEL, KokoroSettings
from voicemesh_tts.engines.kokoro.voice import RATE_HERTZ, KokoroVoice
from voicemesh_tts.engines.mandarin.clauses import Reader
from voicemesh_tts.engines.mandarin.latin import LatinReading
from voicemesh_tts.engines.mandarin.lexicon import BUILT_IN, Lexicon
from voicemesh_tts.engines.mandarin.pronunciation import Pronunciation
from voicemesh_tts.engines.onnx_voice.rendered import spoken_chunks
from voicemesh_tts.settings import TtsSettings

log = logging.getLogger(__name__)

LANGUAGE = "zh"
_ABLE = Capabilities(
    streaming=True,
    word_spans=True,
    max_unit_chars=100,
    joined_languages=frozenset({LANGUAGE}),
    # Conversations take turns at each part, not at each unit: a long one keeps nobody waiting.
    max_joined_chars=160,
)
# Spoken at load: it shows that the network works, how loud a voice is and how fast.
_SELF_TEST = "今天天气很好, 适合散步."
_SHORTEST_SYLLABLE_S, _LONGEST_SYLLABLE_S = 0.08, 0.5


class Kokoro:
    """Kokoro's Mandarin voices, which share one network.

    A unit is said in parts: a short one that is soon there, then longer ones, each while
    the one before it is heard. A part that nobody wants any more is broken off.
    """

    def __init__(
        self,
        settings: KokoroSettings,
        store: ModelStore,
        service: TtsSettings,
        *,
        alone: bool,
    ) -> None:
        """Nothing is loaded before ``load``.

        ``service``: the pauses between clauses. ``alone``: no other engine speaks beside it.
        Then it spells the Latin words that the lexicon does not have, and speaks however
        slow it is.
        """
        self._settings = settings
        self._store = store
        self._worker = ThreadWorker("kokoro", settings.cores)
        self._pauses_ms = {"": 0, **dict.fromkeys(",;:", service.clause_pause_ms)}
        self._pauses_ms |= dict.fromkeys(".!?", service.sentence_pause_ms)
        self._alone = alone
        self._closed = False
        self.capabilities = _ABLE
        self.realtime_factor = 1.0
        """Seconds of computing for a second of audio, as measured by ``load``."""
        self._names: list[str] = []
        # Of the worker's thread alone:
        self._voice: KokoroVoice
        self._reader: Reader
        self._gains: dict[str, float] = {}

    async def load(self) -> None:
        """Load network and lexicon and say a sentence; EngineError when it is no speech."""
        own = [self._settings.dictionary_file] if self._settings.dictionary_file else []
        folder = self._store.find(MODEL)
        lexicon = Lexicon.load(BUILT_IN, *own, field="tts.kokoro.dictionary_file")
        latin = LatinReading(lexicon, spell_unknown=self._alone)
        await self._worker.run(self._open, folder, Reader(Pronunciation(lexicon.readings), latin))
        self.capabilities = replace(_ABLE, respell=latin.respell)
        self._judge_pace()

    def _judge_pace(self) -> None:
        factor, slowest = self.realtime_factor, self._settings.slowest_realtime_factor
        pace = f"Kokoro takes {factor:.2f} s for a second of speech on this machine"
        if factor <= slowest:
            log.info("%s", pace)
        elif self._alone:
            log.warning("%s: its speech will have gaps", pace)
        else:
            raise EngineError(
                f"{pace}, and may take {slowest:g} (tts.kokoro.slowest_realtime_factor)"
            )

    def _open(self, folder: Path, reader: Reader) -> None:
        self._voice = KokoroVoice(folder, self._settings.threads)
        self._reader = reader
        self._names = sorted(self._voice.names, key=lambda name: name != self._settings.voice)
        if self._settings.voice not in self._names:
            raise EngineMissing(
                f"the voice {self._settings.voice} is not in {folder / 'voices'}; run "
                f"`voicemesh models verify {MODEL}`",
                field="tts.kokoro.voice",
            )
        self._measure()

    def _measure(self) -> None:
        """How loud the voice that is set is, and how fast the network.

        The process's own time is counted, so that a moment in which the machine is busy
        does not pass for a slow one.
        """
        cores = self._settings.cores or usable_cores()
        began_s = time.process_time()
        heard = self._self_test(self._settings.voice)
        took_s = (time.process_time() - began_s) / min(self._settings.threads, len(cores))
        self.realtime_factor = took_s * RATE_HERTZ / len(heard)
        self._gains[self._settings.voice] = self._gain_of(heard)

    def _self_test(self, name: str) -> Samples:
        """The test sentence, said by a voice; EngineError when it is no speech."""
        part = tuple(self._reader.read(_SELF_TEST).clauses)
        samples = self._voice.render(part, name, 1.0, RunOptions()).samples
        length_s = len(samples) / RATE_HERTZ
        if not _SHORTEST_SYLLABLE_S < length_s / characters(part) < _LONGEST_SYLLABLE_S:
            raise EngineError(
                f"the voice {name} says {characters(part)} syllables in {length_s:.1f} s, which is "
                f"no speech; run `voicemesh models verify {MODEL}`"
            )
        return samples

    def _gain_of(self, heard: Samples) -> float:
        """What brings a voice to the level of the others."""
        return gain_to(self._settings.target_level_dbfs, heard, RATE_HERTZ)

    def voices(self) -> Sequence[Voice]:
        """The voice that is set, then the others."""
        return [Voice(name, (LANGUAGE,), RATE_HERTZ, "Apache-2.0") for name in self._names]

    async def synthesize(
        self, text: str, voice: Voice, rate: float, counter: WorkCounter
    ) -> AsyncGenerator[SpokenChunk, None]:
        """See :class:`voicemesh_tts.engines.engine.Synthesizer`."""
        if self._closed:
            raise Unavailable("the voice is being closed; ask again later")
        phonetic = await self._worker.run(self._reader.read, text)
        if phonetic.dropped:
            metrics.UNSPOKEN_CHARACTERS.inc(len(phonetic.dropped))
            log.debug("characters that cannot be spoken: %s", phonetic.dropped)
        first = self._settings.first_part_characters
        planned = [*parts(phonetic.clauses, first, self.realtime_factor)]
        begin = 0
        for part, following in zip(planned, [*planned[1:], None], strict=True):
            end = len(text) if following is None else following[0].characters[0].begin
            chunks = await self._in_time(part, (begin, end), voice.name, rate, counter)
            for chunk in chunks:
                yield chunk
            if following is not None:
                yield SpokenChunk(self._pause(part, rate), end, end)
            begin = end

    async def _in_time(
        self, part: Part, span: tuple[int, int], name: str, rate: float, counter: WorkCounter
    ) -> list[SpokenChunk]:
        """The chunks of a part, which is broken off when nobody wants it or it takes too long."""
        options, deadline_s = RunOptions(), self._settings.part_deadline_s
        waiting = WorkCounter()  # of this part alone: the reply may go on without it
        waiting.on_cancel = counter.on_cancel = partial(setattr, options, "terminate", True)
        try:
            async with asyncio.timeout(deadline_s):
                return await self._worker.spend(
                    waiting, self._speak, part, span, name, rate, options, counter
                )
        except TimeoutError:
            raise EngineError(
                f"Kokoro did not say {characters(part)} characters within {deadline_s:g} s; the "
                "machine is overloaded"
            ) from None
        finally:
            counter.on_cancel = None

    def _speak(
        self,
        part: Part,
        span: tuple[int, int],
        name: str,
        rate: float,
        options: RunOptions,
        counter: WorkCounter,
    ) -> list[SpokenChunk]:
        """The chunks of a part, which together speak for ``span`` of the unit's text."""
        if name not in self._gains:
            self._gains[name] = self._gain_of(self._self_test(name))
        rendered = self._voice.render(part, name, rate, options)
        counter.spend()
        return list(spoken_chunks(rendered, RATE_HERTZ, self._gains[name], span))

    def _pause(self, part: Part, rate: float) -> Samples:
        """The silence between a part and the next."""
        length_s = self._pauses_ms[part[-1].mark] / 1000 / rate
        return np.zeros(round(length_s * RATE_HERTZ), np.int16)

    async def close(self) -> None:
        """Take no more calls; what is under way ends by itself."""
        self._closed = True
        self._worker.close()

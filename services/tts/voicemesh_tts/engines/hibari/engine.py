"""The engine: English in the service's own process, a unit at a time on one thread."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from itertools import islice
from pathlib import Path

from hibari.voices import VOICES, cache_dir, voice_path

from voicemesh.errors import EngineError, EngineMissing, Unavailable
from voicemesh.work_counter import WorkCounter
from voicemesh.workers import ThreadWorker
from voicemesh_tts.audio.levelling import gain_to
from voicemesh_tts.engines.engine import Capabilities, SpokenChunk, Voice
from voicemesh_tts.engines.hibari.pronunciation import Pronunciation
from voicemesh_tts.engines.hibari.settings import HibariSettings
from voicemesh_tts.engines.hibari.voice import RATE_HERTZ, HibariVoice
from voicemesh_tts.engines.onnx_voice.rendered import spoken_chunks

# As the embedded voices: the first audio of any unit is there within 50 ms.
_MAX_UNIT_CHARS = 100
_FIRST_CHUNKS = 3
"""0.14 s, which are sent before the rest of the unit is made."""
# It tells how loud a voice is, and has a word that no lexicon holds, which opens the
# network that spells.
_SELF_TEST = "The quick brown fox jumps over the lazy dog, said Quandramorph."


class Hibari:
    """hibari's voices, each a network of 8 MB, with one lexicon for each variety of English.

    Everything is shared by all streams. onnxruntime leaves the interpreter to others while
    it computes, and a unit takes a hundredth of its own length: a thread is enough, and
    units of several conversations take turns on it.
    """

    capabilities = Capabilities(streaming=True, word_spans=True, max_unit_chars=_MAX_UNIT_CHARS)

    def __init__(self, settings: HibariSettings) -> None:
        """Nothing is loaded before ``load``."""
        self._settings = settings
        self._worker = ThreadWorker("hibari", settings.cores)
        self._closed = False
        # Of the worker's thread alone:
        self._pronunciations: dict[bool, Pronunciation] = {}
        self._loaded: dict[str, tuple[HibariVoice, float]] = {}

    async def load(self) -> None:
        """Load the voice that is set and say a sentence; others are loaded when first used."""
        name = self._settings.voice
        if _model(name) is None:
            raise EngineMissing(
                f"hibari's voice {name} is not in {cache_dir()}; run `hibari --voice {name} Hello "
                "-o hello.wav` once, which fetches it, or set tts.hibari.voice to heart",
                field="tts.hibari.voice",
            )
        await self._worker.run(self._voice, name)

    def voices(self) -> Sequence[Voice]:
        """The voice that is set, then the others that are here."""
        names = [name for name in VOICES if _model(name) is not None]
        names.sort(key=lambda name: name != self._settings.voice)
        return [Voice(name, ("en",), RATE_HERTZ, "Apache-2.0") for name in names]

    async def synthesize(
        self, text: str, voice: Voice, rate: float, counter: WorkCounter
    ) -> AsyncGenerator[SpokenChunk, None]:
        """See :class:`voicemesh_tts.engines.engine.Synthesizer`."""
        if self._closed:
            raise Unavailable("the voice is being closed; ask again later")
        chunks = self._speak(text, voice.name, rate, counter)
        wanted: int | None = _FIRST_CHUNKS
        while batch := await self._worker.spend(counter, _taken, chunks, wanted):
            for chunk in batch:
                yield chunk
            wanted = None

    def _speak(
        self, text: str, name: str, rate: float, counter: WorkCounter
    ) -> Iterator[SpokenChunk]:
        """Made in the worker's thread, as far as it is asked for."""
        voice, gain = self._voice(name)
        rendered = voice.render(text, rate)
        counter.spend()
        yield from spoken_chunks(rendered, RATE_HERTZ, gain, (0, len(text)))

    def _voice(self, name: str) -> tuple[HibariVoice, float]:
        """A voice that is loaded, and the gain that brings it to the level of the others."""
        if name not in self._loaded:
            model = _model(name)
            if model is None:
                raise EngineError(f"no voice {name} is here")
            british = bool(VOICES[name]["british"])
            if british not in self._pronunciations:
                self._pronunciations[british] = Pronunciation(british=british)
            voice = HibariVoice(model, self._pronunciations[british], self._settings.threads)
            heard = voice.render(_SELF_TEST, 1.0).samples
            gain = gain_to(self._settings.target_level_dbfs, heard, RATE_HERTZ)
            self._loaded[name] = voice, gain
        return self._loaded[name]

    async def close(self) -> None:
        """Take no more calls; what is under way ends by itself."""
        self._closed = True
        self._worker.close()


def _taken(chunks: Iterator[SpokenChunk], count: int | None) -> list[SpokenChunk]:
    """The next ones; None: all that are left."""
    return list(islice(chunks, count))


def _model(name: str) -> Path | None:
    """The network of a voice, where the package or the library's own cache has it."""
    try:
        return Path(voice_path(name, download_missing=False))
    except FileNotFoundError:
        return None

"""The engine: one Mandarin voice on the chip, and the embedded engine for the rest."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from voicemesh.errors import EngineMissing, Unavailable
from voicemesh.work_counter import WorkCounter
from voicemesh.workers import ThreadWorker
from voicemesh_sophon.client import Chip
from voicemesh_sophon.models.bmodel_paths import bmodels
from voicemesh_sophon.placing.placement import Placement
from voicemesh_tts.engines.embedded.engine import Embedded
from voicemesh_tts.engines.engine import Capabilities, SpokenChunk, Voice
from voicemesh_tts.engines.mandarin.clauses import Reader
from voicemesh_tts.engines.mandarin.latin import LatinReading
from voicemesh_tts.engines.mandarin.lexicon import BUILT_IN, Lexicon
from voicemesh_tts.engines.mandarin.pronunciation import Pronunciation
from voicemesh_tts.engines.sophon_vits.networks import VitsNetworks
from voicemesh_tts.engines.sophon_vits.settings import SophonVitsSettings
from voicemesh_tts.engines.sophon_vits.vocabulary import BertVocabulary
from voicemesh_tts.engines.sophon_vits.voice import MandarinVoice

log = logging.getLogger(__name__)

VOICE = "sophon-vits"
LANGUAGE = "zh"
_ABLE = Capabilities(
    streaming=True,
    word_spans=False,
    max_unit_chars=100,  # what suits the embedded voices; this one joins units again
    joined_languages=frozenset({LANGUAGE}),
    # Four full windows. Conversations take turns at each launch, not at each unit, so
    # that a long unit keeps nobody waiting.
    max_joined_chars=240,
)


class SophonVits:
    """VITS with BERT prosody for Mandarin; other languages by the embedded engine.

    Latin words in Chinese sentences that the lexicon or the names of their letters
    can read are said by the Mandarin voice, so that the sentence stays in one piece.
    """

    def __init__(self, settings: SophonVitsSettings, placement: Placement) -> None:
        """Nothing is opened before ``load``."""
        self._settings = settings
        self._placement = placement
        # Which set was fetched decides the licence; the bmodels do not tell it.
        self._voices = [Voice(VOICE, (LANGUAGE,), settings.sample_rate_hertz, "NOASSERTION")]
        self._worker = ThreadWorker("sophon-vits chip")
        self._embedded = Embedded(settings.embedded) if settings.other_languages else None
        self._chip: Chip | None = None
        self._mandarin: MandarinVoice | None = None
        self.capabilities = _ABLE

    async def load(self) -> None:
        """Open the chip, load the bmodels and say a sentence for a test."""
        settings = self._settings
        if not settings.model_files:
            raise EngineMissing(
                "no voice is set; fetch one, set tts.sophon_vits.model_files to its VITS and BERT "
                "bmodels and tts.sophon_vits.vocabulary_file to their vocab.txt",
                field="tts.sophon_vits.model_files",
            )
        await self._load_others()
        own = [settings.dictionary_file] if settings.dictionary_file else []
        lexicon = Lexicon.load(BUILT_IN, *own, field="tts.sophon_vits.dictionary_file")
        latin = LatinReading(lexicon, spell_unknown=not self._speaks("en"))
        reader = Reader(Pronunciation(lexicon.readings), latin)
        vocabulary = BertVocabulary(settings.vocabulary)
        networks = await self._worker.run(self._open)
        self._mandarin = MandarinVoice(networks, reader, vocabulary, settings, self._worker)
        await self._mandarin.measure(settings.embedded.target_level_dbfs)
        self.capabilities = replace(_ABLE, respell=latin.respell)

    async def _load_others(self) -> None:
        """The embedded voices, where they are wanted and installed."""
        if self._embedded is None:
            return
        try:
            await self._embedded.load()
        except EngineMissing as error:
            log.warning("%s; this voice speaks alone", error)
            await self._embedded.close()
            self._embedded = None
            return
        self._voices += self._embedded.voices()

    def _speaks(self, language: str) -> bool:
        return any(language in voice.languages for voice in self._voices)

    def _open(self) -> VitsNetworks:
        self._chip = Chip.open(self._placement)
        files = bmodels(self._settings.model_files)
        return VitsNetworks(self._chip, files, self._settings.hop_samples)

    def voices(self) -> Sequence[Voice]:
        """The Mandarin voice, then the embedded engine's."""
        return self._voices

    async def synthesize(
        self, text: str, voice: Voice, rate: float, counter: WorkCounter
    ) -> AsyncGenerator[SpokenChunk, None]:
        """See :class:`voicemesh_tts.engines.engine.Synthesizer`."""
        speaker: AsyncGenerator[SpokenChunk, None]
        if voice.name == VOICE and self._mandarin is not None:
            speaker = self._mandarin.speak(text, rate, counter)
        elif voice.name != VOICE and self._embedded is not None:
            speaker = self._embedded.synthesize(text, voice, rate, counter)
        else:
            raise Unavailable(f"the voice {voice.name} is not loaded, or closed; ask again later")
        async with aclosing(speaker) as chunks:
            async for chunk in chunks:
                yield chunk

    async def close(self) -> None:
        """Free the chip's memory and end the children. A second call finds nothing to do."""
        mandarin, self._mandarin = self._mandarin, None
        if mandarin is not None:
            await mandarin.close()
        chip, self._chip = self._chip, None
        if chip is not None:
            chip.close()  # Not in the worker, which a launch that hangs would hold.
        self._worker.close()
        embedded, self._embedded = self._embedded, None
        if embedded is not None:
            await embedded.close()

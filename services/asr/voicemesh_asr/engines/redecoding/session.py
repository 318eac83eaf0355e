"""One speaker's session: a growing buffer that is decoded again and again.

While somebody speaks, the utterance so far is decoded each time that enough new audio
has come, and the words on which two hypotheses agree are confirmed. The final pass
decodes what is held of the utterance once more; its result stays good until more is
heard. Before the buffer outgrows the network's window it is cut behind a segment that
is confirmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from voicemesh.audio import Samples
from voicemesh.language_tags import primary_language
from voicemesh_asr.engines.engine import Hypothesis, Phrase, SessionOptions
from voicemesh_asr.engines.redecoding.jobs import JobQueue, TranscriptionJob
from voicemesh_asr.engines.redecoding.languages import UNSPACED
from voicemesh_asr.engines.redecoding.local_agreement import LocalAgreement, units
from voicemesh_asr.engines.redecoding.speech_buffer import SpeechBuffer
from voicemesh_asr.engines.redecoding.transcription import (
    Request,
    Segment,
    Transcription,
    text_of,
)

Jobs = JobQueue[Request, Transcription]
Job = TranscriptionJob[Request, Transcription]

CUT_FROM = 0.8
"""The share of the window from which on the buffer is cut where it can be."""

_utterances = count()


@dataclass(frozen=True)
class Streaming:
    """How often a growing utterance is decoded, and what is shown of it."""

    rate_hertz: int
    """The rate of the samples."""
    window: int
    """Samples that the network reads at once."""
    every_ms: int
    """New speech after which an interim decode is due."""
    first_ms: int = 0
    """Speech before the first one, at least: networks guess at the beginnings of words."""
    guesses: bool = True
    """Whether words are shown that are not confirmed."""
    share: float | None = None
    """The most of the speech's time that its interim decodes may take: a decode that took long
    is followed by a longer interval. None: no limit."""
    keeps: bool = True
    """Whether confirmed words stay, whatever is heard later. See LocalAgreement."""
    stops_tell: bool = True
    """See Hypothesis."""
    translated: bool = False
    """Whether the text is English whatever is spoken."""

    @property
    def first(self) -> int:
        """Samples before the first interim decode."""
        return self.rate_hertz * max(self.first_ms, self.every_ms) // 1000

    def due_after(self, took_s: float) -> int:
        """New samples until the next interim decode, behind one that took so many seconds."""
        rest_s = took_s / self.share if self.share else 0.0
        return round(self.rate_hertz * max(self.every_ms / 1000, rest_s))


class RedecodingSession:
    """Recognises the utterances of one speaker. See RecognizerSession."""

    def __init__(
        self,
        streaming: Streaming,
        options: SessionOptions,
        jobs: Jobs,
        on_close: Callable[[], None],
    ) -> None:
        """``on_close`` is called once."""
        self._streaming = streaming
        self._jobs = jobs
        self._on_close: Callable[[], None] | None = on_close
        self._tags: dict[str, str] = {}
        for tag in options.languages or (options.language_code,):
            self._tags.setdefault(primary_language(tag), tag)
        self._interims = options.interim_results
        self._phrases = options.phrases
        self._begin()

    def _begin(self) -> None:
        """Another utterance."""
        self._utterance = next(_utterances)
        self._buffer = SpeechBuffer()
        self._agreement = LocalAgreement(self._streaming.keeps)
        self._previous: tuple[int, ...] = ()
        self._languages = tuple(self._tags)
        """Codes; of what was cut off one is left, which the rest is in as well."""
        self._newest: Transcription | None = None
        """Of the audio that is held, from its first sample on."""
        self._decoded = 0
        """How much of the utterance the newest interim decode has taken."""
        self._due = self._streaming.first
        self._job: Job | None = None
        self._news: Hypothesis | None = None
        self._failure: Exception | None = None
        self._final: Hypothesis | None = None

    async def accept(self, samples: Samples) -> Hypothesis | None:
        """Hear more; the newest running text, which may be that of earlier audio."""
        if self._failure is not None:
            raise self._failure
        self._buffer.append(samples)
        self._final = None
        if self._interims and self._job is None and self._buffer.end - self._decoded >= self._due:
            self._submit_interim()
        news, self._news = self._news, None
        return news

    def _request(self) -> Request:
        """The audio held now."""
        return Request(
            samples=self._buffer.samples(),
            utterance=self._utterance,
            begin=self._buffer.begin,
            languages=self._languages,
            previous=self._previous,
            phrases=self._phrases,
            newest=self._newest,
        )

    def _submit_interim(self) -> None:
        def request() -> Request:
            self._decoded = self._buffer.end
            return self._request()

        job = Job(request, is_final=False)
        self._job = job
        job.result.add_done_callback(lambda result: self._interim(job, result))
        self._jobs.submit(job)

    def _interim(self, job: Job, result: asyncio.Future[Transcription]) -> None:
        """An interim decode has ended, one way or the other."""
        error = None if result.cancelled() else result.exception()
        if self._job is not job:
            return  # It speaks of what is over.
        self._job = None
        if result.cancelled():
            return
        if error is not None:
            assert isinstance(error, Exception), "a base exception ends the job's task"
            self._failure = error
            return
        transcription = result.result()
        by_characters = self._by_characters(transcription)
        self._agreement.feed(units(text_of(transcription.segments), by_characters))
        self._news = self._running(transcription)
        self._newest = transcription
        self._due = self._streaming.due_after(job.took_s)
        if self._decoded - self._buffer.begin >= CUT_FROM * self._streaming.window:
            self._cut(transcription, by_characters)

    def _by_characters(self, transcription: Transcription) -> bool:
        """Whether the text is compared by characters: it has no spaces between words."""
        return not self._streaming.translated and transcription.language in UNSPACED

    def _written_in(self, transcription: Transcription) -> str:
        """The language of the text, as the stream calls it."""
        return "en" if self._streaming.translated else self._tags[transcription.language]

    def _running(self, transcription: Transcription) -> Hypothesis:
        confirmed = self._agreement.confirmed
        text = self._agreement.text if self._streaming.guesses else confirmed
        return Hypothesis(
            text,
            confidence=transcription.confidence,
            stability=len(confirmed) / len(text) if text else 0.0,
            language_code=self._written_in(transcription),
            stops_tell=self._streaming.stops_tell,
        )

    def _cut(self, transcription: Transcription, by_characters: bool) -> None:
        """Cut the buffer behind a segment that is confirmed.

        Where none is by the time that the window is full, the segments before the
        last one are taken as they are.
        """
        held = self._decoded - self._buffer.begin
        segments = [s for s in transcription.segments if s.end < held]
        confirmed = 0
        for number in range(len(segments), 0, -1):
            if self._agreement.can_drop(_units(segments[:number], by_characters)):
                confirmed = number
                break
        if not confirmed and held >= self._streaming.window:
            confirmed = max(0, len(segments) - 1)
        if confirmed:
            kept = segments[:confirmed]
            self._agreement.drop(_units(kept, by_characters))
            self._previous += tuple(token for s in kept for token in s.tokens)
            self._languages = (transcription.language,)
            self._buffer.cut(kept[-1].end)
            self._newest = None

    async def finish(self) -> Hypothesis:
        """The best text; at once where nothing came since the last call."""
        self._stop_job()
        self._news = None
        if self._final is None:
            self._final = await self._decode() if len(self._buffer) else Hypothesis("")
        return self._final

    async def _decode(self) -> Hypothesis:
        job = Job(self._request, is_final=True)
        self._job = job
        self._jobs.submit(job)
        try:
            transcription = await job.result
        finally:
            self._stop_job()
        by_characters = self._by_characters(transcription)
        rest = self._agreement.behind_dropped(units(text_of(transcription.segments), by_characters))
        return Hypothesis(
            f"{self._agreement.dropped}{''.join(rest)}".strip(),
            confidence=transcription.confidence,
            language_code=self._written_in(transcription),
            stops_tell=self._streaming.stops_tell,
        )

    def _stop_job(self) -> None:
        if self._job is not None:
            job, self._job = self._job, None
            job.cancel()

    async def resume(self) -> None:
        """The buffer still holds everything."""

    async def reset(self) -> None:
        """Forget the utterance; work on it stops."""
        self._stop_job()
        self._begin()

    async def set_phrases(self, phrases: Sequence[Phrase]) -> None:
        """What the next request tells the network."""
        self._phrases = tuple(phrases)

    async def close(self) -> None:
        """Make room for another speaker."""
        self._stop_job()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()


def _units(segments: Sequence[Segment], by_characters: bool) -> list[str]:
    return units(text_of(segments), by_characters)

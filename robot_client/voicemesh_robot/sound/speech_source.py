"""A microphone and its voice activity detector as the source of a conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

import numpy as np

from voicemesh.audio import Samples
from voicemesh.workers import ThreadWorker
from voicemesh_robot.echo.cancelling import Cancelled
from voicemesh_robot.echo.evidence import NO_ECHO
from voicemesh_robot.echo.guard import EchoGuard
from voicemesh_robot.local_vad import LocalVad, Voice
from voicemesh_robot.sound.first_sign import FirstSign, OnSign, SignTimes
from voicemesh_robot.sound.heard import Heard, HeardSound
from voicemesh_robot.sound.microphone import Gap, Microphone
from voicemesh_robot.sound.speech_gate import LONGEST_SILENCE_S, GateTimes, SpeechGate

OnSpeech = Callable[[int], None]


@dataclass(frozen=True)
class _Judged:
    """A frame without echo, and what it was taken for."""

    cleaned: Cancelled
    voice: Voice


def _judgements(
    vad: LocalVad, echo: EchoGuard | None, frames: Samples, first_sample: int
) -> list[_Judged]:
    """The judgement of each row, and of those that were held back; some rows are.

    ``first_sample``: on the microphone's own count.
    """
    judged: list[_Judged] = []
    for frame in frames:
        cleaned = [Cancelled(frame, NO_ECHO)] if echo is None else echo.clean(frame, first_sample)
        judged += [_Judged(one, one.judge(vad)) for one in cleaned]
        first_sample += len(frame)
    return judged


class SpeechSource:
    """The microphone through echo canceller, local detector and gate, as sounds and silences.

    Samples are counted from ``first_sample`` on, which is the sample that the
    microphone records when listening begins.
    """

    rate_hertz = Microphone.rate_hertz

    def __init__(
        self,
        microphone: Microphone,
        vad: LocalVad,
        worker: ThreadWorker,
        times: GateTimes,
        *,
        first_sample: int | None = None,
        chunk_samples: int = 0,
        on_speech: OnSpeech = lambda begin: None,
        on_sign: OnSign = lambda began: None,
        echo: EchoGuard | None = None,
    ) -> None:
        """``first_sample`` None: the microphone's own count.

        ``worker`` runs ``vad``. ``chunk_samples``: sounds are sent in pieces of at
        least this length; 0: as they come. ``on_speech`` is told of speech, ``on_sign`` of
        what may become some. ``echo`` takes the robot's own voice out.
        """
        self._echo = echo
        self.evidence = NO_ECHO
        """What is known of the robot's own voice in the newest frame."""
        if echo is not None:
            echo.drop()
        microphone.skip()
        self.first_sample = microphone.position if first_sample is None else first_sample
        """Where listening begins, on this source's count."""
        self._base = microphone.position - self.first_sample
        self._microphone = microphone
        self._vad = vad
        self._worker = worker
        self._chunk = chunk_samples
        self._gate = SpeechGate(times, self.first_sample, on_speech)
        self._sign = FirstSign(SignTimes.of_ms(self.rate_hertz), on_sign, echo is not None)
        self._rest = np.zeros(0, dtype=np.int16)
        self._held = 0  # Samples that the echo guard has not told apart yet.
        self._pending: list[HeardSound] = []

    @property
    def speaking(self) -> bool:
        """Whether somebody speaks, as the local detector judges it."""
        return self._gate.speaking

    def expect_speech(self) -> None:
        """See FileSource."""
        self._gate.expect_speech()

    def expect_silence(self) -> None:
        """See FileSource."""
        self._gate.expect_silence()

    def sample_at(self, moment_s: float) -> int:
        """See FileSource."""
        return max(0, self._microphone.sample_at(moment_s) - self._base)

    def recorded_at(self, sample: int) -> float:
        """See FileSource."""
        return self._microphone.moment_of(sample + self._base)

    async def open(self) -> None:
        """Open the microphone; DeviceLost where it is not there."""
        await self._microphone.open()

    def pass_time(self) -> list[Heard]:
        """The time until now in which the microphone was closed, as silence."""
        self._microphone.skip()
        return [*self._flush(), *self._lost(0)]

    async def sounds(self) -> AsyncGenerator[Heard, None]:
        """See FileSource. Opens the microphone where it is not, and closes it in the end."""
        try:
            async with aclosing(self._microphone.listen()) as heard_all:
                async for heard in heard_all:
                    items = (
                        self._lost(heard.sample_count)
                        if isinstance(heard, Gap)
                        else await self._judged(heard)
                    )
                    for item in self._coalesced(items):
                        yield item
        finally:
            self._sign.drop()

    def _lost(self, sample_count: int) -> list[Heard]:
        """Silence from where the sound stopped until where the microphone is now."""
        self._sign.drop()
        out = self._give_up_held()
        begin = self._gate.position + len(self._rest)
        missing = self._microphone.position - self._base - begin
        if len(self._rest):
            out += self._gate.process(self._rest, False)
            self._rest = self._rest[:0]
        return out + self._gate.gap(max(sample_count, missing), LONGEST_SILENCE_S * self.rate_hertz)

    def _give_up_held(self) -> list[Heard]:
        """What the echo guard holds back counts as lost."""
        if self._echo is None or not self._held:
            return []
        self._echo.drop()
        held, self._held = self._held, 0
        return self._gate.gap(held, LONGEST_SILENCE_S * self.rate_hertz)

    async def _judged(self, samples: Samples) -> list[Heard]:
        out: list[Heard] = []
        pending = np.concatenate([self._rest, samples])
        # The microphone may have needed a moment to open: that was silence.
        taken = self._gate.position + self._held
        late = self._microphone.position - self._base - taken - len(pending)
        if late > 0:
            out += self._give_up_held()
            out += self._gate.gap(late, LONGEST_SILENCE_S * self.rate_hertz)
        size = self._vad.frame_samples
        count = len(pending) // size
        self._rest = pending[count * size :]
        if count:
            frames = pending[: count * size].reshape(count, size)
            if self._echo is not None:
                self._echo.arrived(self._microphone.position)
            # On the microphone's count, whatever this source's own is.
            first = self._gate.position + self._held + self._base
            judged = await self._worker.run(_judgements, self._vad, self._echo, frames, first)
            self._held += (count - len(judged)) * size
            for one in judged:
                self.evidence = one.cleaned.evidence
                out += self._known(self._gated(one.cleaned, one.voice))
        return out

    def _gated(self, frame: Cancelled, voice: Voice) -> list[Heard]:
        items = self._gate.process(frame.samples, voice is Voice.CLEAR, frame.is_user)
        self._sign.process(frame, voice, self._gate.speaking)
        return items

    def _known(self, items: list[Heard]) -> list[Heard]:
        """The same with what is known of the robot's own voice in them."""
        if self.evidence is NO_ECHO:
            return items
        return [
            replace(item, echo=self.evidence) if isinstance(item, HeardSound) else item
            for item in items
        ]

    def _coalesced(self, items: list[Heard]) -> list[Heard]:
        """Short sounds joined; whatever follows them lets them go."""
        out: list[Heard] = []
        for item in items:
            if not isinstance(item, HeardSound):
                out += self._flush()
                out.append(item)
                continue
            self._pending.append(item)
            if sum(len(sound.samples) for sound in self._pending) >= self._chunk:
                out += self._flush()
        return out if self._gate.speaking else out + self._flush()

    def _flush(self) -> list[Heard]:
        if not self._pending:
            return []
        joined = np.concatenate([sound.samples for sound in self._pending])
        # What holds something else as well is no echo.
        echo = min((sound.echo for sound in self._pending), key=lambda one: one.likelihood)
        sound = HeardSound(self._pending[0].first_sample, joined, echo)
        self._pending.clear()
        return [sound]

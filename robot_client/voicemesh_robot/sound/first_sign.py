"""The first sign of speech, which is taken back where nothing proves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicemesh_robot.echo.cancelling import Cancelled
from voicemesh_robot.echo.evidence import NO_ECHO, EchoEvidence
from voicemesh_robot.local_vad import Voice

OnSign = Callable[[bool], None]
"""Told True at the first sign of speech, False where it was none after all."""


@dataclass(frozen=True)
class SignTimes:
    """The waits of a sign, in samples."""

    proof: int
    """Within it the gate must know of speech: longer than most words take to be known."""
    rest: int
    """After a sign that was none only proven speech counts: knocking and hammering go on."""

    @classmethod
    def of_ms(cls, rate_hertz: int, *, proof_ms: int = 200, rest_ms: int = 3000) -> SignTimes:
        """The same from milliseconds."""
        return cls(rate_hertz * proof_ms // 1000, rate_hertz * rest_ms // 1000)


class FirstSign:
    """Watches the frames that a SpeechGate judges, and is faster than its proof of speech.

    Good for what can be taken back, as a pause of playback can. ``on_sign`` is told of a
    sign once, and again only where it was none; what the gate proves, the gate tells.
    """

    def __init__(self, times: SignTimes, on_sign: OnSign, echo: bool) -> None:
        """``echo``: whether the microphone may hear what is played.

        Then only clear speech is a sign, and only where the echo is known: what is left of the
        robot's own voice may sound as speech begins, and so does all of it until it is known.
        """
        self._echo = echo
        self._times = times
        self._on_sign = on_sign
        self._waited: int | None = None  # Since the sign, in samples; None: there is none.
        self._rest = 0

    def process(self, frame: Cancelled, voice: Voice, speaking: bool) -> None:
        """The next frame, what it was taken for, and whether the gate knows of speech."""
        count = len(frame.samples)
        self._rest = max(0, self._rest - count)
        if speaking:
            self._waited = None
        elif self._waited is not None:
            self._waited += count
            if self._waited >= self._times.proof:
                self.drop()
        elif not self._rest and frame.is_user and self._is_sign(voice, frame.evidence):
            self._waited = 0
            self._on_sign(True)

    def _is_sign(self, voice: Voice, evidence: EchoEvidence) -> bool:
        if self._echo:
            return voice is Voice.CLEAR and evidence != NO_ECHO
        return voice is not Voice.NONE

    def drop(self) -> None:
        """A sign that was not proven is none."""
        if self._waited is not None:
            self._waited = None
            self._rest = self._times.rest
            self._on_sign(False)

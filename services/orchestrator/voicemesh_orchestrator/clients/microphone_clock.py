"""The sound that a client sends: checked, and counted on the microphone's clock."""

from __future__ import annotations

from voicemesh.audio import check_chunk
from voicemesh.errors import InvalidArgument
from voicemesh.v1 import common_pb2

MAX_SILENCE_S = 10


class MicrophoneClock:
    """Where the sound stands. Errors name the field of the message."""

    def __init__(self, rate_hertz: int, next_sample: int = 0) -> None:
        """``next_sample``: the first sample that will come."""
        self.rate_hertz = rate_hertz
        self._next_sample = next_sample

    def take_audio(self, chunk: common_pb2.AudioChunk) -> None:
        """Samples that continue what came before; else InvalidArgument."""
        self._next_sample += check_chunk(chunk, self._next_sample, self.rate_hertz, "audio")

    def take_silence(self, silence: common_pb2.SilenceChunk) -> None:
        """Silence that continues what came before; else InvalidArgument."""
        if not 0 < silence.sample_count <= MAX_SILENCE_S * self.rate_hertz:
            raise InvalidArgument(
                f"{silence.sample_count} samples of silence are out of range; send 1 sample to "
                f"{MAX_SILENCE_S} s at a time",
                field="silence.sample_count",
            )
        if silence.first_sample != self._next_sample:
            raise InvalidArgument(
                f"the silence begins at sample {silence.first_sample}, but {self._next_sample} "
                "is next",
                field="silence.first_sample",
            )
        self._next_sample += silence.sample_count

    def check_end(self, end: common_pb2.EndOfUtterance) -> None:
        """An utterance can only end within its sound."""
        if not 0 <= end.sample <= self._next_sample:
            raise InvalidArgument(
                f"the utterance ends at sample {end.sample}, but sound has come up to "
                f"{self._next_sample} only; send its sound first",
                field="end_of_utterance.sample",
            )

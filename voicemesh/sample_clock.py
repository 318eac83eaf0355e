"""The sample count of a stream of sound, checked with each message that continues it."""

from __future__ import annotations

from voicemesh.audio_format import check_chunk
from voicemesh.errors import InvalidArgument
from voicemesh.v1 import common_pb2

MAX_SILENCE_SECONDS = 10


class SampleClock:
    """Counts the samples that a client has sent. Errors name the field of the message."""

    def __init__(self, rate_hertz: int, next_sample: int = 0) -> None:
        """``next_sample``: the first sample that will come."""
        self.rate_hertz = rate_hertz
        self.next_sample = next_sample
        """The sample after the last that has come."""

    def take_audio(self, chunk: common_pb2.AudioChunk) -> None:
        """Count sound that continues what came before; else InvalidArgument."""
        self.next_sample += check_chunk(chunk, self.next_sample, self.rate_hertz, "audio")

    def take_silence(self, silence: common_pb2.SilenceChunk) -> None:
        """Count silence that continues what came before; else InvalidArgument."""
        longest = MAX_SILENCE_SECONDS * self.rate_hertz
        if not 0 < silence.sample_count <= longest:
            raise InvalidArgument(
                f"{silence.sample_count} samples of silence are not 1 to {longest} "
                f"({MAX_SILENCE_SECONDS} s); send longer silences in parts",
                field="silence.sample_count",
            )
        if silence.first_sample != self.next_sample:
            raise InvalidArgument(
                f"the silence begins at sample {silence.first_sample}, but {self.next_sample} "
                "is next; samples follow each other without a gap or an overlap",
                field="silence.first_sample",
            )
        self.next_sample += silence.sample_count

    def check_end(self, end: common_pb2.EndOfUtterance) -> None:
        """InvalidArgument where an utterance ends elsewhere than within its sound."""
        if end.sample < 0:
            raise InvalidArgument(
                f"the utterance ends at sample {end.sample}; samples count from 0",
                field="end_of_utterance.sample",
            )
        if end.sample > self.next_sample:
            raise InvalidArgument(
                f"the utterance ends at sample {end.sample}, but audio has come up to "
                f"{self.next_sample} only; send its audio first",
                field="end_of_utterance.sample",
            )

"""Audio as the mesh carries it: mono int16 samples at one rate a stream."""

from __future__ import annotations

import math

import numpy as np
import soxr
from numpy.typing import NDArray

from voicemesh.errors import InvalidArgument, Unsupported
from voicemesh.v1 import common_pb2 as pb

Samples = NDArray[np.int16]
"""Mono samples, shape (n,), dtype int16."""

FULL_SCALE = 32768.0
MIN_RATE_HERTZ = 8_000
MAX_RATE_HERTZ = 48_000
MAX_CHUNK_SECONDS = 1


def pcm16(data: bytes) -> Samples:
    """Bytes of LINEAR16 as samples; a view, not a copy. The length must be even."""
    return np.frombuffer(data, dtype="<i2")


def dbfs(samples: Samples) -> float:
    """Root-mean-square level in dB below full scale; -inf for silence or nothing."""
    if len(samples) == 0:
        return -math.inf
    rms = float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))
    return 20 * math.log10(rms / FULL_SCALE) if rms > 0 else -math.inf


def linear16(rate_hertz: int) -> pb.AudioFormat:
    """The format of mono LINEAR16 at a rate."""
    return pb.AudioFormat(
        encoding=pb.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=rate_hertz, channel_count=1
    )


def check_format(audio_format: pb.AudioFormat, field: str) -> int:
    """The rate of an acceptable stream format, in hertz; else an error naming the field."""
    if audio_format.encoding != pb.AUDIO_ENCODING_LINEAR16:
        raise Unsupported(
            "only AUDIO_ENCODING_LINEAR16 (signed 16-bit little-endian PCM) is accepted",
            field=f"{field}.encoding",
        )
    rate = audio_format.sample_rate_hertz
    if not MIN_RATE_HERTZ <= rate <= MAX_RATE_HERTZ:
        raise InvalidArgument(
            f"{rate} Hz is not accepted; send {MIN_RATE_HERTZ} to {MAX_RATE_HERTZ} Hz, best 16000",
            field=f"{field}.sample_rate_hertz",
        )
    if audio_format.channel_count != 1:
        raise Unsupported(
            f"{audio_format.channel_count} channels are not accepted; mix them to 1 first",
            field=f"{field}.channel_count",
        )
    return rate


def check_chunk(chunk: pb.AudioChunk, expected_sample: int, rate_hertz: int, field: str) -> int:
    """The number of samples of a chunk that continues its stream; else an error."""
    size = len(chunk.audio)
    if size == 0:
        raise InvalidArgument("the chunk holds no audio; leave it out", field=f"{field}.audio")
    if size % 2:
        raise InvalidArgument(
            f"{size} bytes are no whole number of 16-bit samples", field=f"{field}.audio"
        )
    count = size // 2
    if count > rate_hertz * MAX_CHUNK_SECONDS:
        raise InvalidArgument(
            f"{count} samples are more than {MAX_CHUNK_SECONDS} s; send chunks of 20 to 100 ms",
            field=f"{field}.audio",
        )
    if chunk.first_sample != expected_sample:
        raise InvalidArgument(
            f"the chunk begins at sample {chunk.first_sample}, but {expected_sample} is next; "
            "samples follow each other without a gap or an overlap (silence may be sent as such)",
            field=f"{field}.first_sample",
        )
    return count


class StreamResampler:
    """Changes the rate of a stream of mono int16 samples, chunk by chunk."""

    def __init__(self, in_hertz: int, out_hertz: int) -> None:
        """Equal rates pass samples through untouched."""
        self._stream = (
            None
            if in_hertz == out_hertz
            else soxr.ResampleStream(in_hertz, out_hertz, 1, dtype="int16")
        )

    def process(self, samples: Samples) -> Samples:
        """What can be given out after these samples; may be shorter or empty."""
        if self._stream is None or len(samples) == 0:
            return samples
        resampled: Samples = self._stream.resample_chunk(samples)
        return resampled

    def finish(self) -> Samples:
        """The tail. Nothing may be processed afterwards."""
        empty = np.zeros(0, dtype=np.int16)
        if self._stream is None:
            return empty
        tail: Samples = self._stream.resample_chunk(empty, last=True)
        return tail

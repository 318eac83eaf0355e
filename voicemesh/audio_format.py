"""The format of audio on the wire: LINEAR16, mono, at one rate a stream; and its checks."""

from __future__ import annotations

from voicemesh.errors import InvalidArgument, Unsupported
from voicemesh.v1 import common_pb2 as pb

FULL_SCALE = 32768.0
"""What a sample of LINEAR16 is a share of."""
MIN_RATE_HERTZ = 8_000
MAX_RATE_HERTZ = 48_000
MAX_CHUNK_SECONDS = 1


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

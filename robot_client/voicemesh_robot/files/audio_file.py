"""Recordings on disk as the mesh wants them: mono int16 at one rate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile
from numpy.typing import NDArray

from voicemesh.audio import Samples, StreamResampler
from voicemesh.audio_format import FULL_SCALE
from voicemesh.errors import InvalidArgument, NotFound, VoiceMeshError
from voicemesh.v1 import common_pb2 as pb
from voicemesh_robot.speech_rate import SPEECH_RATE_HERTZ

_BLOCK_S = 0.5
_KINDS = "WAV, FLAC or OGG"


def mono(frames: NDArray[np.float32]) -> Samples:
    """The mean of the channels of (n, channels) floats in -1..1, as int16, clipped."""
    mixed = frames.mean(axis=1, dtype=np.float64) * FULL_SCALE
    clipped: Samples = np.clip(np.rint(mixed), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return clipped


class AudioFile:
    """An open recording: WAV, FLAC or OGG of any rate and channel count.

    It is read in blocks of half a second, so its length does not matter.
    """

    def __init__(self, path: Path) -> None:
        """Open ``path``; NotFound or InvalidArgument in a sentence where that fails."""
        self.path = path
        if not path.exists():
            raise NotFound(
                f"the audio file {path} does not exist; check the path", stage=pb.STAGE_CLIENT
            )
        if not path.is_file():
            raise self._unusable(f"is no file; name a {_KINDS} file")
        if path.stat().st_size == 0:
            raise self._unusable("is empty; record it again")
        try:
            self._file = soundfile.SoundFile(path)
        except PermissionError:
            raise self._unusable("may not be read; check its permissions") from None
        except (soundfile.SoundFileError, TypeError) as error:
            # TypeError: headerless formats need a rate, which only a person knows.
            raise self._unusable(
                f"is no audio that can be read ({error}); convert it to {_KINDS}"
            ) from None
        if self._file.frames == 0:
            self._file.close()
            raise self._unusable("holds a header but no samples; record it again")

    def _unusable(self, problem: str) -> VoiceMeshError:
        return InvalidArgument(f"the audio file {self.path} {problem}", stage=pb.STAGE_CLIENT)

    @property
    def seconds(self) -> float:
        """The recording's length, in seconds."""
        return float(self._file.frames / self._file.samplerate)

    def blocks(self, rate_hertz: int = SPEECH_RATE_HERTZ) -> Iterator[Samples]:
        """The recording from its start, mixed to mono, at ``rate_hertz``, in order."""
        resampler = StreamResampler(self._file.samplerate, rate_hertz)
        try:
            self._file.seek(0)
            for frames in self._file.blocks(
                blocksize=max(1, int(self._file.samplerate * _BLOCK_S)),
                dtype="float32",
                always_2d=True,
            ):
                block = resampler.process(mono(frames))
                if len(block):
                    yield block
        except soundfile.SoundFileError as error:
            raise self._unusable(f"is damaged ({error}); record or convert it again") from None
        tail = resampler.finish()
        if len(tail):
            yield tail

    def close(self) -> None:
        """Close the file; blocks can be read no more."""
        self._file.close()

    def __enter__(self) -> AudioFile:
        """The open file."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def write_wav(path: Path, samples: Samples, rate_hertz: int) -> None:
    """Write mono samples as 16-bit WAV; the folder is made where it is missing.

    The file appears whole or not at all, so that nobody takes half an answer for
    an answer.
    """
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(partial, samples, rate_hertz, subtype="PCM_16", format="WAV")
        partial.replace(path)
    except (OSError, soundfile.SoundFileError) as error:
        raise InvalidArgument(
            f"the WAV file {path} cannot be written ({error}); name another place",
            stage=pb.STAGE_CLIENT,
        ) from None

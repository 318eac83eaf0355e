"""Sound of the microphone of which it is not certain that recognition has taken it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from copy import deepcopy

from voicemesh.v1 import common_pb2

_LONGEST_CHUNK_S = 0.5  # A message of it is small, and a few of them are seconds.
_LONGEST_SILENCE_S = 10  # As much as one message may be.
_MOST_MESSAGES = 200  # Fewer than a stream takes at once.

Sound = common_pb2.AudioChunk | common_pb2.SilenceChunk
Said = Sound | common_pb2.EndOfUtterance


def samples_of(said: Said) -> int:
    """How long it is, in samples."""
    match said:
        case common_pb2.AudioChunk():
            return len(said.audio) // 2
        case common_pb2.SilenceChunk():
            return said.sample_count
        case _:
            return 0


class KeptSound:
    """The newest seconds of a microphone, without gap, in few messages.

    What has become too old, or is forgotten, can be had as silence: whoever takes the
    rest counts samples from where it began.
    """

    def __init__(self, longest_samples: int, rate_hertz: int, next_sample: int) -> None:
        """Keeps at most ``longest_samples``; the first to come is ``next_sample``."""
        self._longest = longest_samples
        self._chunk = int(_LONGEST_CHUNK_S * rate_hertz)
        self._longest_silence = _LONGEST_SILENCE_S * rate_hertz
        self._said: deque[Said] = deque()
        self.end = next_sample
        """The sample after the last."""

    @property
    def begin(self) -> int:
        """The first sample that is kept; ``end`` where nothing is."""
        oldest = self._said[0] if self._said else None
        if oldest is None or isinstance(oldest, common_pb2.EndOfUtterance):
            return self.end
        return oldest.first_sample

    def add(self, said: Said) -> None:
        """What follows; sound begins at ``end``."""
        count = samples_of(said)
        last = self._said[-1] if self._said else None
        match said, last:
            case common_pb2.AudioChunk(), common_pb2.AudioChunk() if (
                samples_of(last) + count <= self._chunk
            ):
                last.audio += said.audio
                # What is gathered is echo only as far as all of it is.
                if last.HasField("echo") and said.echo.likelihood < last.echo.likelihood:
                    last.echo.CopyFrom(said.echo)
            case common_pb2.SilenceChunk(), common_pb2.SilenceChunk() if (
                samples_of(last) + count <= self._longest_silence
            ):
                last.sample_count += count
            case common_pb2.EndOfUtterance(), common_pb2.EndOfUtterance() | None:
                return  # There is nothing, or nothing new, whose end it could be.
            case _:
                self._said.append(deepcopy(said))
        self.end += count
        if len(self._said) > _MOST_MESSAGES:
            self._said.popleft()
        self.forget_before(self.end - self._longest)

    def forget_before(self, sample: int) -> None:
        """What lies before ``sample`` is needed no more."""
        while self._said:
            oldest = self._said[0]
            if isinstance(oldest, common_pb2.EndOfUtterance):
                self._said.popleft()  # Of no use without its sound.
                continue
            cut = sample - oldest.first_sample
            if cut < samples_of(oldest):
                if cut > 0:
                    _cut(oldest, cut)
                return
            self._said.popleft()

    def forget(self) -> None:
        """None of it is needed."""
        self._said.clear()

    def since(self, sample: int) -> Iterator[Said]:
        """Everything from ``sample`` on, which is not after ``end``; what is missing as silence."""
        while (missing := self.begin - sample) > 0:
            count = min(missing, self._longest_silence)
            yield common_pb2.SilenceChunk(first_sample=sample, sample_count=count)
            sample += count
        yield from [deepcopy(said) for said in self._said]


def _cut(sound: Sound, samples: int) -> None:
    """Take ``samples`` away from its beginning."""
    sound.first_sample += samples
    if isinstance(sound, common_pb2.AudioChunk):
        sound.audio = sound.audio[2 * samples :]
    else:
        sound.sample_count -= samples

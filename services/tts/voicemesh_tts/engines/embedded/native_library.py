"""The protocol of a native speech library, as the child process that holds it uses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from voicemesh.audio import Samples
from voicemesh_tts.audio.shaping import TimedWord
from voicemesh_tts.engines.engine import Voice


class NativeLibrary(Protocol):
    """A synthesiser that runs in the calling thread. One call at a time."""

    @property
    def voices(self) -> Mapping[str, Voice]:
        """By name; those preferred for their language first."""

    def render(
        self,
        voice: str,
        text: str,
        rate: float,
        on_word: Callable[[TimedWord], None],
        on_samples: Callable[[Samples], bool],
    ) -> None:
        """Say ``text``; return soon after ``on_samples`` has returned False.

        Words are told no later than the samples in which they sound, with the
        position of their first raw sample. EngineError when the library fails.
        """

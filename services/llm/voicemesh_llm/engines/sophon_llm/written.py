"""Text whose ids are known as a model has written them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Written:
    """A prompt and its reply."""

    text: str = ""
    ids: tuple[int, ...] = ()

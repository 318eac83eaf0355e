"""Speech-safe text: from a reply as it was written to the words that are spoken."""

from __future__ import annotations

from voicemesh_tts.text import chinese, english
from voicemesh_tts.text.characters import tidy, unify
from voicemesh_tts.text.markup import MarkupFilter
from voicemesh_tts.text.rules import apply_rules
from voicemesh_tts.text.scripts import Reading
from voicemesh_tts.text.traced import TracedText


class SpeechText:
    """The text of one reply, piece by piece.

    It remembers what a piece leaves open: reasoning or a code block that the
    next piece continues is not spoken either.
    """

    def __init__(self, reading: Reading) -> None:
        """``reading``: how the stream reads each script."""
        self._reading = reading
        self._markup = MarkupFilter()

    def spoken(self, written: str) -> TracedText:
        """What to say for a piece, traced to its code points; may be empty."""
        text = unify(self._markup.clean(TracedText.of(written)))
        for language in (chinese, english):
            text = apply_rules(text, language.RULES, language.LANGUAGE, self._reading)
        text = tidy(text)
        return text if any(c.isalnum() for c in text.text) else text[:0]

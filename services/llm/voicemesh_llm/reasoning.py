"""Takes reasoning out of the text: what stands in <think> is never spoken."""

from __future__ import annotations

from voicemesh_llm.stop_strings import held_length

_OPENING = ("<think>", "<thinking>")
_CLOSING = ("</think>", "</thinking>")


class ReasoningFilter:
    """Passes on the text outside of reasoning blocks, however the text is cut."""

    def __init__(self, begins_in_thought: bool = False) -> None:
        """``begins_in_thought``: the opening mark stood in the prompt already."""
        self._thinking = begins_in_thought
        self._held = ""
        self._spoken = False

    def process(self, text: str) -> str:
        """Take more text; returns what may be spoken."""
        text = self._held + text
        said = ""
        while True:
            marks = _CLOSING if self._thinking else _OPENING
            found = min(((text.find(m), m) for m in marks if m in text), default=None)
            if found is None:
                break
            start, mark = found
            if not self._thinking:
                said += text[:start]
            text = text[start + len(mark) :]
            self._thinking = not self._thinking
        held = held_length(text, marks)
        if not self._thinking:
            said += text[: len(text) - held]
        self._held = text[len(text) - held :]
        return self._without_leading_space(said)

    def finish(self) -> str:
        """The text is over: what was held is no mark after all."""
        said = "" if self._thinking else self._held
        self._held = ""
        return self._without_leading_space(said)

    def _without_leading_space(self, said: str) -> str:
        """Reasoning leaves blank lines before the reply."""
        if self._spoken:
            return said
        said = said.lstrip()
        self._spoken = bool(said)
        return said

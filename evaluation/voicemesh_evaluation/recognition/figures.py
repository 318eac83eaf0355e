"""What is measured of a recogniser: errors by group, times, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from voicemesh_evaluation.recognition.hearing import Heard
from voicemesh_evaluation.recognition.wording import chinese, english
from voicemesh_evaluation.recognition.wording.distance import errors, length
from voicemesh_evaluation.report import percentiles


@dataclass
class Group:
    """Clips that are counted together."""

    language: str
    without_text: int = 0
    """Clips that nobody has written down: they are left out."""
    words: int = 0
    """Said; of a language without words, characters."""
    errors: int = 0
    exact: int = 0
    """Clips without an error."""
    clips: dict[str, int] = field(default_factory=dict)
    """The errors in each clip, by name."""
    misheard: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What was said and what was heard in clips with errors; for looking, not for reports."""
    final_pass_ms: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float | None:
        """The errors' share of what was said; None: nothing was."""
        return self.errors / self.words if self.words else None

    @property
    def rate_name(self) -> str:
        """What the rate is called for this language."""
        characters = chinese.is_chinese(self.language)
        return "character_error_rate" if characters else "word_error_rate"

    def add(self, name: str, text: str, heard: Heard) -> None:
        """Count a clip in which ``text`` was said."""
        wording = chinese.wording if chinese.is_chinese(self.language) else english.wording
        said, understood = wording(text), wording(heard.text)
        wrong = errors(said, understood)
        self.words += length(said)
        self.errors += wrong
        self.exact += not wrong
        self.clips[name] = wrong
        if wrong:
            self.misheard[name] = (text, heard.text)
        self.final_pass_ms += heard.final_pass_ms

    def as_json(self) -> dict[str, Any]:
        """For other programs."""
        rate = self.rate
        return {
            "language": self.language,
            "clips": len(self.clips),
            "without_text": self.without_text,
            "words": self.words,
            "errors": self.errors,
            "exact": self.exact,
            self.rate_name: None if rate is None else round(rate, 4),
            "final_pass_ms": percentiles(self.final_pass_ms),
        }


@dataclass
class SoundGroup:
    """Sounds of one kind."""

    clips: dict[str, bool] = field(default_factory=dict)
    """Whether each was taken for a turn: words were heard in it."""

    @property
    def turns(self) -> int:
        """How many were."""
        return sum(self.clips.values())


@dataclass
class Figures:
    """All of them."""

    groups: dict[str, Group] = field(default_factory=dict)
    no_turn: dict[str, SoundGroup] = field(default_factory=dict)
    """Of sounds by their kind."""
    engines: dict[str, str] = field(default_factory=dict)
    """By language."""
    not_heard: dict[str, str] = field(default_factory=dict)
    """Languages that the service does not hear, with its sentence."""
    speakers: int = 1
    """Who were heard at once."""
    real_time: bool = False
    """Whether clips came at the pace at which they were said."""
    refused: int = 0
    """Clips for which the service had no place."""
    final_pass_ms: list[float] = field(default_factory=list)
    audio_s: float = 0.0
    cpu_s: float | None = 0.0
    """Of the service's processes while it heard ``audio_s``; None: it runs elsewhere."""

    def drop(self, language: str) -> None:
        """Take out the groups of a language that is not heard."""
        self.groups = {n: g for n, g in self.groups.items() if g.language != language}

    @property
    def engine(self) -> str:
        """Those that recognised, by name."""
        return ", ".join(dict.fromkeys(self.engines.values()))

    @property
    def cpu_share(self) -> float | None:
        """Of one core, while one person speaks."""
        if self.cpu_s is None or not self.audio_s:
            return None
        return self.cpu_s / self.audio_s

    def as_json(self) -> Mapping[str, Any]:
        """For other programs."""
        share = self.cpu_share
        return {
            "groups": {name: group.as_json() for name, group in self.groups.items()},
            "engine": self.engine,
            "cpu_share": None if share is None else round(share, 4),
            "engines": self.engines,
            "not_heard": self.not_heard,
            "no_turn": {
                kind: {"clips": len(sounds.clips), "turns": sounds.turns}
                for kind, sounds in self.no_turn.items()
            },
            "speakers": self.speakers,
            "real_time": self.real_time,
            "refused": self.refused,
            "final_pass_ms": percentiles(self.final_pass_ms),
        }

"""A chip's published stage times as settings of the simulated engines, and what follows."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

# What the turn detector waits for after a question, and when the final pass begins.
SILENCE_MS = 300
EAGER_MS = 150


@dataclass(frozen=True)
class Figure:
    """A published number and where it stands."""

    value: float
    source: str
    estimate: bool = False


@dataclass(frozen=True)
class Profile:
    """A box with its models. Times in milliseconds."""

    box: str
    chip: str
    models: str
    what: str
    published_s: float
    published_source: str
    asr_final: Figure | None
    """A recogniser that transcribes the utterance when it is over."""
    asr_per_second: Figure | None
    """A streaming recogniser: work on each second of audio as it comes."""
    llm_first_token: Figure
    llm_tokens_per_second: Figure
    tts_sentence: Figure
    question: str
    reply: str
    first_piece_tokens: int

    @property
    def name(self) -> str:
        """Box and models."""
        return f"{self.box}, {self.models}"

    def figures(self) -> Mapping[str, Figure]:
        """Every figure by what it is of."""
        named = {
            "final pass, ms": self.asr_final,
            "recognition, ms a second of audio": self.asr_per_second,
            "first token, ms": self.llm_first_token,
            "tokens a second": self.llm_tokens_per_second,
            "synthesis of a piece, ms": self.tts_sentence,
        }
        return {name: figure for name, figure in named.items() if figure is not None}

    def settings(self) -> dict[str, str]:
        """Flags of a mesh that has this chip's times."""
        final_ms = self.asr_final.value if self.asr_final else 0
        load = self.asr_per_second.value / 1000 if self.asr_per_second else 0
        return {
            "mesh.log_level": "warning",
            "asr.engine": "simulated",
            "asr.sentence_end_wait_ms": str(SILENCE_MS),
            "asr.eager_wait_ms": str(EAGER_MS),
            "asr.simulated.texts": f'["{self.question}"]',
            "asr.simulated.final_delay_ms": str(final_ms),
            "asr.simulated.realtime_factor": str(load),
            "asr.simulated.jobs_at_once": "1",
            "llm.engine": "simulated",
            "llm.simulated.replies": f'["{self.reply}"]',
            "llm.simulated.first_token_ms": str(self.llm_first_token.value),
            "llm.simulated.tokens_per_second": str(self.llm_tokens_per_second.value),
            "llm.simulated.jobs_at_once": "1",
            "tts.engine": "simulated",
            "tts.simulated.first_chunk_ms": str(self.tts_sentence.value),
            # Longer than any sentence: the voice does not stream.
            "tts.simulated.chunk_ms": "60000",
            "tts.simulated.realtime_factor": "10000",
            "tts.simulated.jobs_at_once": "1",
        }

    def critical_path(self) -> list[tuple[str, float]]:
        """The steps to the first reply audio and how long after the last voiced sample.

        The final pass begins with the eager end of turn; the model begins on its
        text, within the silence that has to be waited for; its audio is held until
        the turn is over.
        """
        text_ms = EAGER_MS + (self.asr_final.value if self.asr_final else 0)
        tokens_ms = (self.first_piece_tokens - 1) * 1000 / self.llm_tokens_per_second.value
        piece_ms = text_ms + self.llm_first_token.value + tokens_ms
        audio_ms = piece_ms + self.tts_sentence.value
        over_ms = max(SILENCE_MS, text_ms)
        return [
            ("text of the question", text_ms),
            ("end of turn", over_ms),
            ("first token", text_ms + self.llm_first_token.value),
            ("first piece", piece_ms),
            ("first audio", max(over_ms, audio_ms)),
        ]


def _figure(entry: Mapping[str, Any] | None) -> Figure | None:
    return None if entry is None else Figure(**entry)


def _sure(entry: Mapping[str, Any]) -> Figure:
    return Figure(**entry)


def load_profiles() -> list[Profile]:
    """All profiles of ``stage_times.toml``."""
    text = files(__package__).joinpath("stage_times.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    return [
        Profile(
            box=entry["box"],
            chip=entry["chip"],
            models=entry["models"],
            what=entry["what"],
            published_s=entry["published_s"],
            published_source=entry["published_source"],
            asr_final=_figure(entry["asr"].get("final_ms")),
            asr_per_second=_figure(entry["asr"].get("ms_per_second")),
            llm_first_token=_sure(entry["llm"]["first_token_ms"]),
            llm_tokens_per_second=_sure(entry["llm"]["tokens_per_second"]),
            tts_sentence=_sure(entry["tts"]["sentence_ms"]),
            question=table["question"],
            reply=table["reply"],
            first_piece_tokens=table["first_piece_tokens"],
        )
        for entry in table["profile"]
    ]

"""``[asr]``: the settings of the speech recognition service."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from voicemesh.engine_choices import EngineChoice
from voicemesh.server.stream_patience import StreamDeadlines
from voicemesh.settings import Section, ServerSettings, with_engines
from voicemesh_asr.entry_point_groups import (
    ENGINES,
    PUNCTUATION_MODELS,
    TURN_LANGUAGE_MODELS,
    TURN_MODELS,
    VADS,
)

MAX_PHRASES = 2000
LONGEST_WAIT_MS = 10_000


_LanguageModel = Annotated[str, EngineChoice(TURN_LANGUAGE_MODELS, dispensable=True)]


class AsrDeadlines(StreamDeadlines):
    """``[asr.deadlines]``: how long a stream may be open without use."""

    sound_within_turn_s: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="Seconds without sound or silence in the middle of a turn, after which the "
        "stream ends: it holds a recogniser that others wait for. A client that has nothing to say "
        "sends silence, or the end of the utterance.",
    )


class AsrSettings(ServerSettings):
    """``[asr]``."""

    port: int = Field(50051, ge=0, le=65535, description="gRPC port; 0: any free one.")
    metrics_port: int = Field(
        9451, ge=-1, le=65535, description="Prometheus port; 0: any free one, -1: none."
    )
    engine: Annotated[str, EngineChoice(ENGINES)] = Field(
        "auto",
        description="The recogniser. auto: by mesh.languages, moonshine for English alone, else "
        "whisper; pocketsphinx where the models are missing (`voicemesh doctor` tells).",
    )
    max_open_streams: int = Field(
        256,
        ge=1,
        le=4096,
        description="Streams that may be open at once; one more is refused at once. Who is silent "
        "costs voice activity detection only, about 1 % of a core, and no recogniser. Never less "
        "than the engine's workers.",
    )
    slot_wait_ms: int = Field(
        1500,
        ge=0,
        le=5000,
        description="Milliseconds that somebody who speaks waits for a recogniser when all are "
        "taken; what is said meanwhile is held. Most utterances that are under way end within it, "
        "and an answer that comes later than that is taken for none.",
    )
    deadlines: AsrDeadlines = Field(default_factory=AsrDeadlines)
    vad: Annotated[str, EngineChoice(VADS)] = Field(
        "silero",
        description="The voice activity detector: silero holds in noise, webrtc is nearly free.",
    )
    turn_detector: Literal["adaptive", "marks", "silence"] = Field(
        "adaptive",
        description="How the end of a turn is found: silence (no_mark_wait_ms after anything), "
        "marks (by what the text ends with), adaptive (as marks, by models where there are any, "
        "and by the speaker's own pauses).",
    )
    turn_model: Annotated[str, EngineChoice(TURN_MODELS)] = Field(
        "",
        description="An audio model that hears whether a speaker has finished; adaptive asks it at "
        "each pause. Empty: none; smart-turn cuts off fewer of those who hesitate, waits longer "
        "for others, and takes 60 ms of a core at a pause.",
    )
    punctuation_model: Annotated[str, EngineChoice(PUNCTUATION_MODELS)] = Field(
        "",
        description="A model that tells which mark belongs behind a text, for recognisers that "
        "write none. Empty: rules for Chinese and English, which need no weights.",
    )
    turn_language_model: _LanguageModel = Field(
        "trigrams",
        description="A language model that weighs the rules' judgement of a text, English so far: "
        "how often a sentence ends there, whether it has its verbs. The default is in the wheel of "
        "PocketSphinx and takes 33 MB. Empty: rules alone.",
    )
    sentence_end_wait_ms: int = Field(
        300,
        ge=0,
        le=LONGEST_WAIT_MS,
        description="Silence in ms that ends a turn after a whole sentence (arXiv 2305.12450).",
    )
    clause_end_wait_ms: int = Field(
        400,
        ge=0,
        le=LONGEST_WAIT_MS,
        description="Silence in ms that ends a turn after a clause (arXiv 2305.12450).",
    )
    no_mark_wait_ms: int = Field(
        700,
        ge=0,
        le=LONGEST_WAIT_MS,
        description="Silence in ms that ends a turn whose text tells nothing (arXiv 2305.12450).",
    )
    unfinished_wait_ms: int = Field(
        1200,
        ge=0,
        le=LONGEST_WAIT_MS,
        description="Silence in ms that ends a turn in mid-sentence (after 'and', 'um', 'the'). "
        "Long: somebody who is thinking is not to be cut off.",
    )
    eager_wait_ms: int = Field(
        128,
        ge=0,
        le=LONGEST_WAIT_MS,
        description="Silence in ms after which the final pass runs and an eager end is reported. "
        "Four frames of the detector Silero: pauses within words are shorter, and what is left of "
        "the shortest wait hides the final pass and the beginning of the answer.",
    )
    max_turn_ms: int = Field(
        30_000,
        ge=1000,
        le=120_000,
        description="The longest turn in ms; it is cut there. Bounds memory and what a model "
        "has to read.",
    )
    min_speech_ms: int = Field(
        90,
        ge=0,
        le=2000,
        description="Sound shorter than this many ms starts no turn. Knocks and clicks are "
        "shorter, 'yes' is longer.",
    )
    pre_roll_ms: int = Field(
        250,
        ge=0,
        le=2000,
        description="Audio in ms before the detected start that belongs to the turn. Detectors "
        "miss up to 80 ms of a soft beginning; decoders like some silence before it.",
    )
    trim_hangover: bool = Field(
        True,
        description="Count silence from where the sound ends within what the detector still calls "
        "speech, which answers 50 to 130 ms sooner. Off: from the detector's last speech frame.",
    )
    expect_installed_phrases: bool = Field(
        True,
        description="Expect what other rooms installed here announce as likely to be said: the "
        "questions of the language model service's knowledge files.",
    )
    phrases: tuple[str, ...] = Field(
        (),
        description="Phrases that are likely to be said to this robot: its knowledge file's "
        "questions, commands. Recognised much better than free speech.",
    )
    phrase_file: Path | None = Field(
        None, description="A UTF-8 file with more such phrases, one a line; # begins a comment."
    )


@cache
def section() -> type[Section]:
    """``[asr]`` with a sub-section for everything installed that can be chosen."""
    whole: type[Section] = AsrSettings
    for group in (ENGINES, VADS, TURN_MODELS, PUNCTUATION_MODELS, TURN_LANGUAGE_MODELS):
        whole = with_engines(whole, group)
    return whole

"""What a stream asks for, checked field by field and completed from the settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from voicemesh.audio_format import check_format
from voicemesh.errors import InvalidArgument, NotFound, Unsupported
from voicemesh.registry import EngineSpec, engine_specs
from voicemesh.settings import engine_config
from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.engines.engine import Phrase
from voicemesh_asr.entry_point_groups import VADS
from voicemesh_asr.settings import LONGEST_WAIT_MS, MAX_PHRASES, AsrSettings
from voicemesh_asr.turn_detection.detectors import DETECTORS
from voicemesh_asr.turn_detection.waits import Waits
from voicemesh_asr.vad.vad import Vad

_Wait = Literal[
    "sentence_end_wait_ms",
    "clause_end_wait_ms",
    "no_mark_wait_ms",
    "unfinished_wait_ms",
    "eager_wait_ms",
    "max_turn_ms",
]
_LONGEST_PHRASE = 200
_HIGHEST_BOOST = 20.0


@dataclass(frozen=True)
class StreamPlan:
    """The resolved configuration of one stream: every choice is made."""

    conversation_id: str
    rate_hertz: int
    first_sample: int
    language_code: str
    """The likeliest language."""
    languages: tuple[str, ...]
    """All that may be spoken and are heard, the likeliest first."""
    interim_results: bool
    word_times: bool
    phrases: tuple[Phrase, ...]
    turn_detector: str
    waits: Waits
    vad: pb.VadOptions
    """Every field set that applies to the detector."""
    vad_spec: EngineSpec
    trim_hangover: bool = True
    resume_from: pb.TurnDetectorState | None = None

    def make_vad(self, settings: AsrSettings) -> Vad:
        """A detector of this speaker's own. May take some milliseconds."""
        config = engine_config(settings, self.vad_spec)
        if self.vad.HasField("aggressiveness"):
            config = config.model_copy(update={"aggressiveness": self.vad.aggressiveness})
        vad: Vad = self.vad_spec.factory(config)
        return vad

    def turn_detector_options(self) -> pb.TurnDetectorOptions:
        """The waits as they cross the wire, every field set."""
        return pb.TurnDetectorOptions(
            name=self.turn_detector,
            sentence_end_wait_ms=self.waits.sentence_end_ms,
            clause_end_wait_ms=self.waits.clause_end_ms,
            no_mark_wait_ms=self.waits.no_mark_ms,
            unfinished_wait_ms=self.waits.unfinished_ms,
            eager_wait_ms=self.waits.eager_ms,
            max_turn_ms=self.waits.max_turn_ms,
        )


def plan_stream(
    config: pb.StreamingRecognitionConfig,
    settings: AsrSettings,
    capabilities: pb.RecognizerCapabilities,
    engine: str,
    model: str,
) -> StreamPlan:
    """The plan for a stream's config; an error names the first field that is wrong.

    ``capabilities``, ``engine`` and ``model`` are those of the engine that serves.
    Lengths and ranges have been checked at the service's door (request_bounds).
    """
    root = "streaming_config"
    rate = check_format(config.audio_format, f"{root}.audio_format")
    if config.model and config.model not in (model, engine):
        raise NotFound(
            f"there is no model {config.model!r} here; leave it empty or ask for {model!r}",
            field=f"{root}.model",
        )
    if config.enable_word_times and not capabilities.word_times:
        raise Unsupported(
            f"the engine {engine} knows no word times; leave it out",
            field=f"{root}.enable_word_times",
        )
    vad, spec = _vad(config.vad, settings, f"{root}.vad")
    languages = choose_languages(
        config.language_codes, capabilities, engine, f"{root}.language_codes"
    )
    return StreamPlan(
        conversation_id=config.conversation_id,
        rate_hertz=rate,
        first_sample=config.first_sample,
        language_code=languages[0],
        languages=languages,
        interim_results=config.interim_results and capabilities.interim_results,
        word_times=config.enable_word_times,
        phrases=check_phrases(config.phrase_hints, f"{root}.phrase_hints"),
        turn_detector=_turn_detector(config.turn_detector, settings, f"{root}.turn_detector.name"),
        waits=_waits(config.turn_detector, settings, f"{root}.turn_detector"),
        vad=vad,
        vad_spec=spec,
        trim_hangover=settings.trim_hangover,
        resume_from=config.resume_from if config.HasField("resume_from") else None,
    )


def plan_recording(
    request: pb.RecognizeRequest,
    settings: AsrSettings,
    capabilities: pb.RecognizerCapabilities,
    engine: str,
    model: str,
) -> StreamPlan:
    """The plan for a whole recording."""
    rate = check_format(request.audio_format, "audio_format")
    languages = choose_languages(request.language_codes, capabilities, engine, "language_codes")
    phrases = check_phrases(request.phrase_hints, "phrase_hints")
    if request.enable_word_times and not capabilities.word_times:
        raise Unsupported(
            f"the engine {engine} knows no word times; leave it out",
            field="enable_word_times",
        )
    vad, spec = _vad(pb.VadOptions(), settings, "vad")
    waits = _waits(pb.TurnDetectorOptions(), settings, "turn_detector")
    return StreamPlan(
        conversation_id="",
        rate_hertz=rate,
        first_sample=0,
        language_code=languages[0],
        languages=languages,
        interim_results=False,
        word_times=request.enable_word_times,
        phrases=phrases,
        turn_detector=settings.turn_detector,
        waits=waits,
        vad=vad,
        vad_spec=spec,
        trim_hangover=settings.trim_hangover,
    )


def choose_languages(
    wanted: Sequence[str], capabilities: pb.RecognizerCapabilities, engine: str, field: str
) -> tuple[str, ...]:
    """The wanted languages that the engine hears; all of its own where none is named."""
    heard = [language.language_code for language in capabilities.languages]
    if not wanted:
        return tuple(heard)

    def is_heard(tag: str) -> bool:
        return any(f"{tag}-".lower().startswith(f"{h}-".lower()) for h in heard)

    chosen = tuple(dict.fromkeys(filter(is_heard, wanted)))
    if chosen:
        return chosen
    raise Unsupported(
        f"the engine {engine} hears {', '.join(heard)}, but not {', '.join(wanted)}; "
        "add it to mesh.languages, or set asr.engine to one that does (see docs/engines.md)",
        field=field,
    )


def check_phrases(hints: Iterable[pb.PhraseHint], field: str) -> tuple[Phrase, ...]:
    """Phrase hints within their bounds."""
    phrases: list[Phrase] = []
    for index, hint in enumerate(hints):
        where = f"{field}[{index}]"
        if index >= MAX_PHRASES:
            raise InvalidArgument(
                f"more than {MAX_PHRASES} phrases; send the likeliest", field=field
            )
        if not hint.phrase.strip() or len(hint.phrase) > _LONGEST_PHRASE:
            raise InvalidArgument(
                f"a phrase has 1 to {_LONGEST_PHRASE} characters", field=f"{where}.phrase"
            )
        if not 0 <= hint.boost <= _HIGHEST_BOOST:
            raise InvalidArgument(
                f"{hint.boost:g} is outside of 0 to {_HIGHEST_BOOST:g}", field=f"{where}.boost"
            )
        phrases.append(Phrase(hint.phrase, hint.boost, hint.may_go_on))
    return tuple(phrases)


def _within(value: int, low: int, high: int, field: str) -> int:
    if not low <= value <= high:
        raise InvalidArgument(f"{value} is outside of {low} to {high}", field=field)
    return value


def _vad(
    options: pb.VadOptions, settings: AsrSettings, field: str
) -> tuple[pb.VadOptions, EngineSpec]:
    specs = engine_specs(VADS)
    name = options.name or settings.vad
    if name not in specs:
        raise InvalidArgument(
            f"there is no voice activity detector {name!r}; known are: {', '.join(specs)}",
            field=f"{field}.name",
        )
    spec = specs[name]
    config = engine_config(settings, spec)
    threshold = getattr(config, "threshold", 0.5)
    if options.HasField("threshold"):
        threshold = options.threshold
        if not 0 < threshold < 1:
            raise InvalidArgument(
                f"{threshold:g} is not between 0 and 1", field=f"{field}.threshold"
            )
    chosen = pb.VadOptions(name=name, threshold=threshold)
    if hasattr(config, "aggressiveness"):
        asked = options.HasField("aggressiveness")
        value = options.aggressiveness if asked else config.aggressiveness
        chosen.aggressiveness = _within(value, 0, 3, f"{field}.aggressiveness")
    elif options.HasField("aggressiveness"):
        raise Unsupported(
            f"the detector {name} has a threshold, but no aggressiveness; leave it out",
            field=f"{field}.aggressiveness",
        )
    for key in ("min_speech_ms", "pre_roll_ms"):
        value = getattr(options, key) if options.HasField(key) else getattr(settings, key)
        setattr(chosen, key, _within(value, 0, 2000, f"{field}.{key}"))
    return chosen, spec


def _turn_detector(options: pb.TurnDetectorOptions, settings: AsrSettings, field: str) -> str:
    name = options.name or settings.turn_detector
    if name not in DETECTORS:
        raise InvalidArgument(
            f"there is no turn detector {name!r}; known are: {', '.join(DETECTORS)}", field=field
        )
    return name


def _waits(options: pb.TurnDetectorOptions, settings: AsrSettings, field: str) -> Waits:
    def wait(key: _Wait, low: int = 0, high: int = LONGEST_WAIT_MS) -> int:
        value = getattr(options, key) if options.HasField(key) else getattr(settings, key)
        return _within(value, low, high, f"{field}.{key}")

    sentence, clause = wait("sentence_end_wait_ms"), wait("clause_end_wait_ms")
    no_mark, unfinished = wait("no_mark_wait_ms"), wait("unfinished_wait_ms")
    return Waits(
        sentence_end_ms=sentence,
        clause_end_ms=clause,
        no_mark_ms=no_mark,
        unfinished_ms=unfinished,
        # An eager end later than the end itself would hold the end up.
        eager_ms=min(wait("eager_wait_ms"), sentence, clause, no_mark, unfinished),
        max_turn_ms=wait("max_turn_ms", 1000, 120_000),
    )

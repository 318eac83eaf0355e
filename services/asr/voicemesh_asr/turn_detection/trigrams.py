"""The English trigrams that PocketSphinx carries, for the judge of completeness.

The file (27 MB, 20,000 words) is in the recogniser's wheel, so that nothing has to be
downloaded, whatever recogniser is chosen. It is loaded in 50 ms; a question takes 9 µs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voicemesh.errors import EngineMissing
from voicemesh.registry import EngineSpec, Probe, probe_import
from voicemesh.settings import Section

if TYPE_CHECKING:
    from pocketsphinx import LogMath, NGramModel

_FILE = "en-us/en-us.lm.bin"


class TrigramSettings(Section):
    """``[asr.trigrams]``."""


class Trigrams:
    """See TurnLanguageModel."""

    language = "en"

    def __init__(self, model: NGramModel, scale: LogMath) -> None:
        """``model``, whose logarithms are those of ``scale``."""
        self._model = model
        self._scale = scale
        self._unknown = scale.get_zero()

    def log_probability(self, word: str, *before: str) -> float | None:
        """See TurnLanguageModel."""
        found = self._model.prob([word, *reversed(before)])
        return None if found <= self._unknown else float(self._scale.log_to_ln(found))


def make(config: TrigramSettings) -> Trigrams:
    """Load them; EngineMissing where the installed PocketSphinx carries none."""
    from pocketsphinx import Config, LogMath, NGramModel, get_model_path

    path = Path(get_model_path(_FILE))
    if not path.is_file():
        raise EngineMissing(
            f"the installed pocketsphinx carries no {_FILE}; install it from its wheel, "
            'or set asr.turn_language_model = ""'
        )
    scale = LogMath()
    return Trigrams(NGramModel(Config(loglevel="FATAL"), scale, str(path)), scale)


def _probe() -> Probe:
    return probe_import("pocketsphinx", "pocketsphinx")


SPEC = EngineSpec(
    name="trigrams",
    summary="English trigrams from PocketSphinx's wheel",
    licence="BSD-2-Clause",
    config_type=TrigramSettings,
    factory=make,
    probe=_probe,
    tags=frozenset({"default"}),
)

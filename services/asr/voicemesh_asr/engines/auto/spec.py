"""How the choice by languages announces itself."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from voicemesh.registry import EngineSpec, Probe, engine_spec
from voicemesh.settings import Settings, engine_config
from voicemesh_asr.engines.auto.choice import choose
from voicemesh_asr.engines.auto.settings import AutoSettings
from voicemesh_asr.entry_point_groups import ENGINES

log = logging.getLogger(__name__)


def _meant(settings: Settings) -> str:
    choice = choose(settings)
    if choice.lacking is not None:
        _warn(f"asr.engine = auto: {choice}; {choice.lacking.cure}")
    return choice.engine


@cache
def _warn(message: str) -> None:
    """Once: more than one part of a process asks which engine is meant."""
    log.warning(message)


def _check(_: AutoSettings, settings: Settings) -> Probe:
    choice = choose(settings)
    lacking = choice.lacking
    if lacking is None:
        return Probe(True, str(choice))
    return Probe(choice.engine != choice.wanted, str(choice), lacking.cure)


def _make(_: AutoSettings, settings: Settings) -> Any:
    from voicemesh_asr.settings import AsrSettings

    spec = engine_spec(ENGINES, _meant(settings), "asr.engine")
    config = engine_config(settings.section("asr", AsrSettings), spec)
    return spec.make(config, settings=settings)


SPEC = EngineSpec(
    name="auto",
    summary="moonshine for English, whisper for other languages; pocketsphinx where they are "
    "missing",
    licence="Apache-2.0",
    config_type=AutoSettings,
    factory=_make,
    probe=lambda: Probe(True, "part of voicemesh"),
    check=_check,
    tags=frozenset({"default"}),
    takes_settings=True,
    stands_for=_meant,
)

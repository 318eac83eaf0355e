"""How the scripted engine announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.registry import EngineSpec, Probe
from voicemesh_llm.engines.scripted.settings import ScriptedSettings

if TYPE_CHECKING:
    from voicemesh_llm.engines.scripted.engine import ScriptedModel


def _make(settings: ScriptedSettings) -> ScriptedModel:
    from voicemesh_llm.engines.scripted.engine import ScriptedModel

    return ScriptedModel(settings)


def _check(settings: ScriptedSettings) -> Probe:
    from voicemesh_llm.knowledge import load

    entries = load(settings.knowledge_files, built_in=settings.built_in_knowledge)
    return Probe(True, f"{len(entries)} entries in its knowledge files")


SPEC = EngineSpec(
    name="scripted",
    summary="answers from a knowledge file in English and Chinese; no language model",
    licence="Apache-2.0",
    config_type=ScriptedSettings,
    factory=_make,
    probe=lambda: Probe(True, "part of voicemesh"),
    check=_check,
    tags=frozenset({"default"}),
)

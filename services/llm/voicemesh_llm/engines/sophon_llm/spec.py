"""How the sophon-llm engine announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.errors import EngineMissing, VoiceMeshError
from voicemesh.registry import EngineSpec, Probe, probe_import
from voicemesh_llm.engines.sophon_llm.settings import SophonLLMSettings
from voicemesh_llm.language import primary_tag
from voicemesh_llm.settings import LanguageModelSettings

if TYPE_CHECKING:
    from voicemesh.settings import Settings
    from voicemesh_llm.engines.sophon_llm.engine import SophonModel
    from voicemesh_sophon.placing.placement import Placement

EXTRA = "voicemesh-llm[sophon]"


def _probe() -> Probe:
    for module in ("tokenizers", "jinja2"):
        found = probe_import(module, module, EXTRA)
        if not found.usable:
            return found
    return Probe(True, "tokenizers and jinja2 are installed; `voicemesh plan` shows the chips")


def _check(settings: SophonLLMSettings, mesh: Settings) -> Probe:
    """Whether the engine would take the files; the chip is asked by doctor --tpu."""
    from voicemesh_llm.engines.sophon_llm.equipment import outline

    try:
        layout = outline(settings)
    except VoiceMeshError as error:
        reason, _, cure = error.message.partition("; ")
        return Probe(False, reason, cure)
    history = " with history" if layout.history else ""
    return Probe(
        True,
        f"{layout.file}: {layout.layers} layers, {layout.sequence} tokens, {layout.dtype}{history}",
    )


def personas(mesh: Settings) -> list[str]:
    """The system prompts of the languages that are spoken, the usual one first."""
    service = mesh.section("llm", LanguageModelSettings)
    spoken = (
        service.system_prompt_zh if primary_tag(language) == "zh" else service.system_prompt
        for language in mesh.mesh.languages
    )
    return list(dict.fromkeys(spoken))


def _make(settings: SophonLLMSettings, placement: Placement, mesh: Settings) -> SophonModel:
    found = _probe()
    if not found.usable:
        raise EngineMissing(f"{found.reason}, which the sophon-llm engine needs; {found.cure}")
    from voicemesh_llm.engines.sophon_llm.engine import SophonModel

    return SophonModel(settings, placement, personas(mesh))


SPEC = EngineSpec(
    name="sophon-llm",
    summary="a language model on a Sophgo TPU, from a bmodel of LLM-TPU, llm_convert or the demos",
    licence="Apache-2.0; the bmodel: its own",
    config_type=SophonLLMSettings,
    factory=_make,
    probe=_probe,
    check=_check,
    extra=EXTRA,
    tags=frozenset({"tpu"}),
    device="sophon",
    takes_settings=True,
)

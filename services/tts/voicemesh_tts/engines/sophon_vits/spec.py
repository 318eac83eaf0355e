"""How the engine ``sophon-vits`` announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.registry import EngineSpec, Probe, probe_import
from voicemesh_tts.engines.sophon_vits.settings import SophonVitsSettings

if TYPE_CHECKING:
    from voicemesh_sophon.placing.placement import Placement
    from voicemesh_tts.engines.sophon_vits.engine import SophonVits

_EXTRA = "voicemesh-tts[sophon]"


def _check(settings: SophonVitsSettings) -> Probe:
    if not settings.model_files:
        return Probe(
            False,
            "tts.sophon_vits.model_files is empty",
            "fetch a voice and set tts.sophon_vits.model_files and .vocabulary_file to its files",
        )
    missing = [f for f in (*settings.model_files, settings.vocabulary) if not f.is_file()]
    if missing:
        return Probe(
            False,
            f"{' and '.join(map(str, missing))} not found",
            "fetch the voice, or correct tts.sophon_vits.model_files and .vocabulary_file",
        )
    return Probe(True, f"{' and '.join(f.name for f in settings.model_files)} are there")


def _make(settings: SophonVitsSettings, placement: Placement) -> SophonVits:
    from voicemesh_tts.engines.sophon_vits.engine import SophonVits

    return SophonVits(settings, placement)


SPEC = EngineSpec(
    name="sophon-vits",
    summary="VITS with BERT prosody on a Sophgo TPU for Mandarin; flite and espeak-ng for the rest",
    licence="Apache-2.0; pypinyin: MIT; the bmodels and the embedded voices: their own",
    config_type=SophonVitsSettings,
    factory=_make,
    probe=lambda: probe_import("pypinyin", "pypinyin", f"'{_EXTRA}'"),
    check=_check,
    extra=_EXTRA,
    tags=frozenset({"tpu"}),
    device="sophon",
)

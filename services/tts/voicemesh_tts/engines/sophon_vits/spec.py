"""How the engine ``sophon-vits`` announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.errors import EngineError
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
    from voicemesh_sophon.client import read_model
    from voicemesh_sophon.models.bmodel_paths import bmodels
    from voicemesh_tts.engines.sophon_vits.networks import VitsNets

    files = bmodels(settings.model_files)
    missing = [f for f in (*files, settings.vocabulary) if not f.is_file()]
    if missing:
        return Probe(
            False,
            f"{' and '.join(map(str, missing))} not found",
            "fetch the voice, or correct tts.sophon_vits.model_files and .vocabulary_file",
        )
    try:
        nets = VitsNets.of(read_model(*files), settings.hop_samples)
    except EngineError as error:
        reason, _, cure = error.message.partition("; ")
        return Probe(False, reason, cure)
    return Probe(
        True,
        f"{' and '.join(f.name for f in files)}: {nets.phonemes} phonemes to {nets.frames} frames",
    )


def _make(settings: SophonVitsSettings, placement: Placement) -> SophonVits:
    from voicemesh_tts.engines.sophon_vits.engine import SophonVits

    return SophonVits(settings, placement)


SPEC = EngineSpec(
    name="sophon-vits",
    summary="VITS with BERT prosody on a Sophgo TPU for Mandarin; flite and espeak-ng for the rest",
    licence="Apache-2.0; pypinyin: MIT; the bmodels and the embedded voices: their own",
    config_type=SophonVitsSettings,
    factory=_make,
    probe=lambda: probe_import("pypinyin", "pypinyin", _EXTRA),
    check=_check,
    extra=_EXTRA,
    tags=frozenset({"tpu"}),
    device="sophon",
)

"""How the Whisper engine announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.registry import EngineSpec, Probe
from voicemesh_asr.engines.sophon_whisper.settings import SophonWhisperSettings

if TYPE_CHECKING:
    from voicemesh_asr.engines.sophon_whisper.engine import SophonWhisper
    from voicemesh_sophon.placing.placement import Placement


def _make(config: SophonWhisperSettings, placement: Placement) -> SophonWhisper:
    from voicemesh_asr.engines.sophon_whisper.engine import SophonWhisper

    return SophonWhisper(config, placement)


def _check(config: SophonWhisperSettings) -> Probe:
    from voicemesh_asr.engines.sophon_whisper.model_files import check

    return check(config)


SPEC = EngineSpec(
    name="sophon-whisper",
    summary="Whisper on a Sophgo TPU, from the bmodels of the Sophgo demos",
    licence="MIT",
    config_type=SophonWhisperSettings,
    factory=_make,
    probe=lambda: Probe(True, "part of voicemesh; `voicemesh plan` shows the chips"),
    check=_check,
    extra="voicemesh-asr[sophon]",
    tags=frozenset({"tpu"}),
    device="sophon",
)

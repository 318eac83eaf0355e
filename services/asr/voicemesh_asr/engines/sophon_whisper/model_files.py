"""The files that the engine reads, checked with the cure for what is wrong."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicemesh.errors import EngineError, SettingsError
from voicemesh.registry import Probe
from voicemesh_asr.engines.sophon_whisper.graphs import Dimensions, WhisperGraphs
from voicemesh_asr.engines.sophon_whisper.settings import SophonWhisperSettings
from voicemesh_asr.engines.sophon_whisper.vocabulary import WhisperVocabulary
from voicemesh_sophon.client import read_model
from voicemesh_sophon.models.bmodel_paths import bmodels

_SECTION = "asr.sophon_whisper"
_TABLE_KEY = "positional_embedding"
_FETCH = "scripts/fetch_models fetches the sets that docs/sophon.md lists"


def check_files(config: SophonWhisperSettings) -> None:
    """Whether all files are named and there; SettingsError names the first that is not."""
    if not config.model_files:
        raise SettingsError(
            f"{_SECTION}.model_files is empty; name the bmodels of a Whisper set ({_FETCH})",
            field=f"{_SECTION}.model_files",
        )
    _check_there(bmodels(config.model_files), "model_files")
    _check_there(bmodels(config.interim_model_files), "interim_model_files")
    for name in ("positions_file", "vocabulary_file"):
        path: Path | None = getattr(config, name)
        if path is None:
            raise SettingsError(
                f"{_SECTION}.{name} is not set; the file comes with the bmodels ({_FETCH})",
                field=f"{_SECTION}.{name}",
            )
        _check_there([path], name)


def _check_there(files: Sequence[Path], name: str) -> None:
    for file in files:
        if not file.is_file():
            raise SettingsError(
                f"{file} is no file; correct {_SECTION}.{name} or fetch the file ({_FETCH})",
                field=f"{_SECTION}.{name}",
            )


def read_positions(path: Path) -> NDArray[np.float32]:
    """The table of position embeddings, [rows, state]."""
    try:
        # Opened here: numpy leaves a file open that turns out to be no archive.
        with path.open("rb") as file, np.load(file) as archive:
            table = np.asarray(archive[_TABLE_KEY], dtype=np.float32)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise SettingsError(
            f"{path} cannot be read ({error}); it must be the positional_embedding_*.npz of the "
            f"model's size with the key {_TABLE_KEY!r}",
            field=f"{_SECTION}.positions_file",
        ) from None
    if table.ndim != 2:
        raise SettingsError(
            f"{path} holds an array of {table.ndim} dimensions instead of a table [rows, state]",
            field=f"{_SECTION}.positions_file",
        )
    return table


def check_positions(table: NDArray[np.float32], path: Path, dimensions: Dimensions) -> None:
    """Whether the table belongs to the model; SettingsError where it does not."""
    if table.shape[1] != dimensions.state:
        raise SettingsError(
            f"{path} is for a model of state {table.shape[1]}, but the bmodels have "
            f"{dimensions.state}; give the table of the same size (base 512, small 768, "
            "medium 1024)",
            field=f"{_SECTION}.positions_file",
        )


def check(config: SophonWhisperSettings) -> Probe:
    """Whether the engine would take the files, read without a chip."""
    try:
        check_files(config)
        assert config.positions_file is not None, "check_files has seen to it"
        assert config.vocabulary_file is not None, "check_files has seen to it"
        table = read_positions(config.positions_file)
        for named in (config.model_files, config.interim_model_files):
            if not named:
                continue
            dimensions = WhisperGraphs(read_model(*bmodels(named))).dimensions
            check_positions(table, config.positions_file, dimensions)
            WhisperVocabulary.read(config.vocabulary_file, dimensions.vocabulary)
    except (EngineError, SettingsError) as error:
        return Probe(False, error.message, "docs/sophon.md tells what goes where")
    return Probe(True, f"{len(bmodels(config.model_files))} bmodels: {dimensions}")

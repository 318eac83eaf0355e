"""The folder that travels beside a bmodel: tokenizer, chat template, end tokens.

A bmodel says nothing about text. What it needs lies in the files of the model's
publisher: ``tokenizer.json`` (or ``tokenizer.model`` of SentencePiece),
``tokenizer_config.json``, ``generation_config.json``, ``config.json`` and, since
2025, ``chat_template.jinja``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voicemesh.errors import SettingsError

BESIDE_THE_MODEL = (".", "config", "token_config", "tokenizer")
"""Where converters and demos put the folder, seen from the bmodel's own."""
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model")
_FIELD = "llm.sophon_llm.tokenizer"


@dataclass(frozen=True)
class TokenizerFolder:
    """What the folder's files say."""

    tokenizer: Path
    """``tokenizer.json`` or ``tokenizer.model``."""
    template: str = ""
    """The chat template's source; empty where the folder has none."""
    special: Mapping[str, str] = field(default_factory=dict)
    """Named special tokens: bos_token, eos_token and others, as text."""
    end_ids: frozenset[int] = frozenset()
    """Ids that end a reply, as the configurations list them."""
    sampling: Mapping[str, float] = field(default_factory=dict)
    """What generation_config.json recommends; empty where it does not sample."""


def find_folder(model: Path, setting: str) -> Path:
    """The folder that ``setting`` names, else the one beside ``model``."""
    if setting:
        folder = Path(setting).expanduser()
        if _tokenizer_in(folder) is None:
            raise SettingsError(
                f"{folder} holds neither tokenizer.json nor tokenizer.model; copy the tokenizer "
                "files of the model's publisher there",
                field=_FIELD,
            )
        return folder
    for name in BESIDE_THE_MODEL:
        if _tokenizer_in(model.parent / name) is not None:
            return model.parent / name
    raise SettingsError(
        f"no tokenizer lies beside {model}; set llm.sophon_llm.tokenizer to the folder with the "
        "model's tokenizer.json",
        field=_FIELD,
    )


def read_folder(folder: Path) -> TokenizerFolder:
    """Read the files of ``folder``; SettingsError names the one that cannot be read."""
    tokenizer = _tokenizer_in(folder)
    if tokenizer is None:
        raise SettingsError(f"{folder} holds no tokenizer", field=_FIELD)
    config = _json(folder / "tokenizer_config.json")
    generation = _json(folder / "generation_config.json")
    ends = (generation, _json(folder / "config.json"))
    return TokenizerFolder(
        tokenizer=tokenizer,
        template=_template(folder, config),
        special=_special(config),
        end_ids=frozenset(i for part in ends for i in _ids(part.get("eos_token_id"))),
        sampling=_recommended(generation),
    )


def _tokenizer_in(folder: Path) -> Path | None:
    return next((folder / n for n in _TOKENIZER_FILES if (folder / n).is_file()), None)


def _json(path: Path) -> Mapping[str, Any]:
    """The object in a file; empty where there is no such file."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} cannot be read ({error}); copy it again from the model's publisher",
            field=_FIELD,
        ) from error
    return content if isinstance(content, dict) else {}


def _template(folder: Path, config: Mapping[str, Any]) -> str:
    """The template's file wins over the configuration's entry, as its readers have it."""
    for name in ("chat_template.jinja", "chat_template.json"):
        path = folder / name
        if path.is_file():
            return (
                path.read_text(encoding="utf-8")
                if path.suffix == ".jinja"
                else _named_default(_json(path).get("chat_template"))
            )
    return _named_default(config.get("chat_template"))


def _named_default(entry: object) -> str:
    """A template, or the default one of several with names."""
    if isinstance(entry, str):
        return entry
    named = {
        item.get("name"): item.get("template")
        for item in (entry if isinstance(entry, list) else ())
        if isinstance(item, dict)
    }
    found = named.get("default")
    return found if isinstance(found, str) else ""


def _special(config: Mapping[str, Any]) -> dict[str, str]:
    """Entries such as ``eos_token``: plain text, or an object with its content."""
    found: dict[str, str] = {}
    for name, entry in config.items():
        text = entry.get("content") if isinstance(entry, dict) else entry
        if name.endswith("_token") and isinstance(text, str):
            found[name] = text
    return found


def _ids(entry: object) -> Sequence[int]:
    if isinstance(entry, bool):
        return ()
    if isinstance(entry, int):
        return (entry,)
    return [i for i in entry if isinstance(i, int)] if isinstance(entry, list) else ()


def _recommended(generation: Mapping[str, Any]) -> dict[str, float]:
    if not generation.get("do_sample"):
        return {}
    names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
    return {
        name: float(generation[name])
        for name in names
        if isinstance(generation.get(name), (int, float))
    }

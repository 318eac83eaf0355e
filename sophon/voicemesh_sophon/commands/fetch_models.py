"""``voicemesh fetch-models``: model files of the vendor, by the name of their set."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from voicemesh.settings import Settings
from voicemesh_sophon.chip_owner.bmodel_file import read_bmodel
from voicemesh_sophon.models.fetching import fetch
from voicemesh_sophon.models.model_sets import ModelSet, model_set, model_sets

_UNVERIFIED = (
    "unverified: the address is the vendor's, but these files were not tried with this version"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    parser.add_argument("sets", nargs="*", metavar="SET", help="what to fetch; none: list all sets")
    parser.add_argument(
        "--to",
        type=Path,
        metavar="DIR",
        default=Path("models"),
        help="each set gets a folder in this one (default: models)",
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    chosen = {name: model_set(name) for name in options.sets}
    if not chosen:
        print("\n".join(_table(model_sets())))
        return 0
    for name, found in chosen.items():
        mark = "" if found.verified else f"\n  {_UNVERIFIED}"
        print(f"{name}: {found.holds}{mark}", flush=True)
        folder = options.to / name
        came = fetch(found.files, folder, lambda line: print(line, flush=True))
        print(f"{name} is complete in {folder}.", flush=True)
        for path in came:
            print(f"  {path}{_what(path)}", flush=True)
    return 0


def _table(sets: dict[str, ModelSet]) -> Iterator[str]:
    width = max(len(name) for name in sets)
    for name, found in sets.items():
        mark = "" if found.verified else " (unverified)"
        yield f"{name:{width}}  {found.chip:8} for {found.use}: {found.holds}{mark}"
    yield _UNVERIFIED


def _what(path: Path) -> str:
    if path.suffix != ".bmodel":
        return ""
    file = read_bmodel(str(path))
    cores = "1 core" if file.cores == 1 else f"{file.cores} cores"
    return f": {file.chip}, {cores}, {len(file.nets)} nets, compiled {file.made}"

"""``voicemesh models``: which models there are and which are here; bring, check, remove them."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterable, Iterator

from voicemesh.commands.settings_options import add_settings_options
from voicemesh.errors import EngineError, VoiceMeshError
from voicemesh.models.catalogue import Catalogue, Model
from voicemesh.models.progress import Progress, megabytes
from voicemesh.models.pulling import Puller
from voicemesh.models.store import ModelStore
from voicemesh.models.verification import wrong_files
from voicemesh.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="all models: what for, how large, here or not")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(action=_list)
    pulling = actions.add_parser("pull", help="bring models here; what is here already stays")
    pulling.add_argument("names", nargs="*", metavar="NAME")
    pulling.add_argument(
        "--language",
        nargs="+",
        action="extend",
        default=[],
        metavar="TAG",
        help="the models of a language, such as en or zh",
    )
    pulling.add_argument(
        "--dry-run", action="store_true", help="only tell what would be downloaded"
    )
    pulling.add_argument("--quiet", action="store_true", help="say nothing of what is here already")
    pulling.set_defaults(action=_pull, refuse=pulling.error)
    verifying = actions.add_parser("verify", help="read every byte of the models that are here")
    verifying.add_argument("names", nargs="*", metavar="NAME", help="none: all that are here")
    verifying.set_defaults(action=_verify)
    removing = actions.add_parser("remove", help="delete models from the folder")
    removing.add_argument("names", nargs="+", metavar="NAME")
    removing.set_defaults(action=_remove)
    for action in (listing, pulling, verifying, removing):
        add_settings_options(action)


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    status: int = options.action(options, Catalogue.of(settings), ModelStore.of(settings))
    return status


def _list(options: argparse.Namespace, catalogue: Catalogue, store: ModelStore) -> int:
    models = catalogue.models.values()
    if options.json:
        entries = [_entry(model, store) for model in models]
        print(json.dumps({"folder": str(store.folder), "models": entries}, indent=2))
    else:
        print("\n".join(_table(models, store)))
        print(f"\nModels lie in {store.folder} (mesh.models_folder).")
    return 0


def _entry(model: Model, store: ModelStore) -> dict[str, object]:
    return {
        "name": model.name,
        "for": model.use,
        "summary": model.summary,
        "languages": model.languages,
        "pulled_for": model.pulled_for,
        "bytes": model.size,
        "licence": model.licence,
        "package_licences": model.package_licences,
        "here": store.holds(model),
    }


def _table(models: Iterable[Model], store: ModelStore) -> Iterator[str]:
    rows = [("model", "for", "languages", "size", "here", "licence", "")]
    for model in models:
        languages = " ".join(model.languages)
        here = "yes" if store.holds(model) else "no"
        size = megabytes(model.size)
        rows.append((model.name, model.use, languages, size, here, model.licence, model.summary))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:{n}}" for cell, n in zip(row, widths, strict=True)).rstrip()


def _pull(options: argparse.Namespace, catalogue: Catalogue, store: ModelStore) -> int:
    if not options.names and not options.language:
        options.refuse("name models, or a language with --language")
    named = [catalogue.named(name) for name in options.names]
    spoken = catalogue.pulled_for(options.language) if options.language else []
    wanted = {model.name: model for model in [*named, *spoken]}.values()
    if options.dry_run:
        for model in wanted:
            for source in _sources(model) if not store.holds(model) else ():
                print(f"{model.name}: {source}")
        return 0
    progress = Progress()
    puller = Puller(store, progress)
    status = 0
    for model in wanted:  # One that cannot be had keeps nobody from the others.
        try:
            came = puller.pull(model)
        except VoiceMeshError as error:
            progress.line(f"voicemesh: {error}")
            status = error.exit_status
        else:
            if came or not options.quiet:
                progress.line(f"{model.name} {'is here now' if came else 'is here'}")
    return status


def _sources(model: Model) -> list[str]:
    """What would be downloaded, or who installs it."""
    if model.package is not None:
        return [f"pip install '{model.package.install}'"]
    return [str(carrier) for carrier in model.usual_carriers()]


def _verify(options: argparse.Namespace, catalogue: Catalogue, store: ModelStore) -> int:
    named = [catalogue.named(name) for name in options.names]
    wrong: list[Model] = []
    for model in named or [m for m in catalogue.models.values() if store.has(m.name)]:
        if model.package is not None:
            here = "installed" if store.holds(model) else "not installed"
            print(f"{model.name} is a Python package, {here}; it is not looked into")
            continue
        sentences = wrong_files(model, store)
        print(f"{model.name}: {'; '.join(sentences) or 'right'}")
        if sentences:
            wrong.append(model)
    if wrong:
        names = " ".join(model.name for model in wrong)
        print(f"Cure: voicemesh models remove {names} && voicemesh models pull {names}")
    return 1 if wrong else 0


def _remove(options: argparse.Namespace, catalogue: Catalogue, store: ModelStore) -> int:
    progress = Progress()
    for model in [catalogue.named(name) for name in options.names]:
        if model.package is not None:
            print(f"{model.name} is a Python package: pip uninstall {model.package.name}")
            continue
        try:
            was_here = _removed(model, store, progress)
        except OSError as error:
            raise EngineError(
                f"{model.name} cannot be removed ({error}); {store.folder} has to be yours to "
                "write to"
            ) from error
        print(f"{model.name} {'is removed' if was_here else 'was not here'}")
    return 0


def _removed(model: Model, store: ModelStore, progress: Progress) -> bool:
    """Delete a model, and what a pull has left of it; False: it was not here."""
    with store.locked(lambda: progress.line("a pull is under way; waiting for it")):
        was_here = store.has(model.name)
        for folder in (store.path(model.name), store.workshop(model.name)):
            if folder.exists():
                shutil.rmtree(folder)
    return was_here

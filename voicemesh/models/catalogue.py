"""The catalogue of models: what each is for, which files it is, and who carries them.

``catalogue.toml`` beside this file tells its form. The setting ``mesh.models_catalogue``
names a file that adds to it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from voicemesh.errors import NotFound, SettingsError
from voicemesh.language_tags import primary_language
from voicemesh.settings import Section, Settings
from voicemesh.settings_errors import Wrong, nearest

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_PACKAGE = re.compile(r"(@[a-z0-9._-]+/)?[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _sha256(text: str) -> str:
    if not _SHA256.fullmatch(text):
        raise ValueError(f"has to be 64 hexadecimal digits, not {text!r}")
    return text


def _inside(text: str) -> str:
    """A path that stays within the folder that it is joined to."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or path.as_posix() != text or text == ".":
        raise ValueError(f"has to be a path within its folder, such as voices/a.bin, not {text!r}")
    return text


class UnknownModel(NotFound):
    """The catalogue has no such model: another try would end the same way."""

    exit_status = 2


class Carrier(Section):
    """Who carries files: a package of a registry at one version, or a hub's address."""

    kind: Literal["pip", "npm", "hub"]
    licence: str
    """SPDX identifier of what carries; the weights have their own."""
    name: str = ""
    """The package."""
    version: str = ""
    platform: str = ""
    """The wheel's platform tag, where it is made for one: data is the same in all."""
    address: str = ""
    """The hub's, which members' paths are appended to; its server should know Range."""
    size: int = Field(0, ge=0)
    """Bytes of the package's archive as it is downloaded; 0: not known."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.kind == "hub":
            if not self.address.startswith(("https://", "http://")):
                raise ValueError("a hub has to have an address that begins with https://")
        elif not (_PACKAGE.fullmatch(self.name) and _VERSION.fullmatch(self.version)):
            raise ValueError(f"a package of {self.kind} has to have a name and a version")
        return self

    def __str__(self) -> str:
        """For people: a package with its version, or an address."""
        return self.address if self.kind == "hub" else f"{self.name} {self.version} by {self.kind}"


class Part(Section):
    """A piece of a file: a member of a carrier."""

    carrier: str
    member: str

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, text: object) -> Any:
        carrier, colon, member = text.partition(":") if isinstance(text, str) else ("", "", "")
        if not (carrier and colon and member):
            raise ValueError(f'has to be like "CARRIER:path/of/member", not {text!r}')
        return {"carrier": carrier, "member": _inside(member)}


class ModelFile(Section):
    """A file of a model."""

    size: int = Field(gt=0)
    """Bytes."""
    sha256: Annotated[str, AfterValidator(_sha256)]
    ways: tuple[Annotated[tuple[Part, ...], Field(min_length=1)], ...] = Field(min_length=1)
    """Each is the parts that the file is joined of; the first that can be had is taken."""


class InstalledPackage(Section):
    """A Python package that is a model: installing it is all."""

    name: str
    size: int = Field(gt=0)
    """Bytes when it is installed, without what it depends on."""
    licence: str
    install: str
    """What pip installs, such as an extra of a room."""

    @property
    def is_installed(self) -> bool:
        """Whether it is; nothing of it is imported."""
        try:
            version(self.name)
        except PackageNotFoundError:
            return False
        return True


class Model(Section):
    """A model of the catalogue. It has either files or a package."""

    name: str
    use: Literal["asr", "llm", "tts", "turn"]
    summary: str
    languages: tuple[str, ...] = Field(min_length=1)
    """Those that it is good at, as primary subtags of BCP-47."""
    pulled_for: tuple[str, ...] = ()
    """The languages for which it is pulled where no names are given."""
    licence: str
    """SPDX identifier of the weights."""
    carriers: Mapping[str, Carrier] = Field(default_factory=dict)
    files: Mapping[Annotated[str, AfterValidator(_inside)], ModelFile] = Field(default_factory=dict)
    package: InstalledPackage | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if bool(self.files) == (self.package is not None):
            raise ValueError("has to have either files or a package")
        for name, file in self.files.items():
            for part in (part for way in file.ways for part in way):
                if part.carrier not in self.carriers:
                    known = ", ".join(self.carriers) or "none"
                    raise ValueError(
                        f"files.{name}.ways name the carrier {part.carrier}; there are: {known}"
                    )
        return self

    @cached_property
    def size(self) -> int:
        """Bytes of all files."""
        return self.package.size if self.package else sum(f.size for f in self.files.values())

    def usual_carriers(self) -> list[Carrier]:
        """Those of the first way of each file."""
        used = {part.carrier for file in self.files.values() for part in file.ways[0]}
        return [carrier for key, carrier in self.carriers.items() if key in used]

    @property
    def package_licences(self) -> tuple[str, ...]:
        """The licences of whoever carries it."""
        carriers = [self.package] if self.package else self.carriers.values()
        return tuple(sorted({carrier.licence for carrier in carriers}))


class Catalogue:
    """Models by name."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        """``models`` by their names."""
        self.models = dict(models)

    @classmethod
    def of(cls, settings: Settings) -> Catalogue:
        """The product's, with what the settings add; SettingsError names what is wrong."""
        models = _shipped()
        added = settings.mesh.models_catalogue
        if added is not None:
            path = added.expanduser()
            try:
                text = path.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError(
                    f"mesh.models_catalogue: {path} cannot be read ({error}); "
                    "name a file that can be, or leave it out",
                    field="mesh.models_catalogue",
                ) from None
            models |= read_models(text, str(path))
        return cls(models)

    def named(self, name: str) -> Model:
        """The model of that name; UnknownModel lists those that there are."""
        found = self.models.get(name)
        if found is None:
            near = nearest(name, self.models)
            meant = f"did you mean {near}? " if near else ""
            known = ", ".join(self.models)
            raise UnknownModel(f"there is no model named {name!r}; {meant}there are: {known}")
        return found

    def pulled_for(self, languages: Collection[str]) -> list[Model]:
        """The models that those languages want; UnknownModel where one of them has none."""
        wanted = {primary_language(tag) for tag in languages}
        known = {tag for model in self.models.values() for tag in model.pulled_for}
        if missing := sorted(wanted - known):
            raise UnknownModel(
                f"no model is pulled for {', '.join(missing)}; there are some for: "
                f"{', '.join(sorted(known))}; a file named by mesh.models_catalogue may add others"
            )
        return [model for model in self.models.values() if wanted & {*model.pulled_for}]


def _shipped() -> dict[str, Model]:
    return read_models(files(__package__).joinpath("catalogue.toml").read_text("utf-8"), "ours")


def read_models(text: str, source: str) -> dict[str, Model]:
    """The models of a catalogue's text; SettingsError names ``source``, model and field."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source}: {error}") from None
    return {name: _model(name, table, source) for name, table in tables.items()}


def _model(name: str, table: object, source: str) -> Model:
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{source}: a model cannot be named {name!r}; small letters, digits, '.', '_' and "
            "'-' make a name"
        )
    if not isinstance(table, dict):
        raise SettingsError(f"{source}: {name} has to be a table of a model, such as [{name}]")
    try:
        return Model.model_validate({**table, "name": name})
    except ValidationError as error:
        wrong = Wrong(error, Model)
        place = ".".join(wrong.place)
        said = "is unknown" if wrong.is_unknown else wrong.sentence()
        raise SettingsError(f"{source}: model {name}: {place} {said}".replace("  ", " ")) from None

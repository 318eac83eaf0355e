"""The sets of files that the vendor publishes, by name (``model_sets.toml``)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field

from voicemesh.errors import NotFound
from voicemesh.settings import Section

_ADDRESS = r"^[A-Za-z0-9@:./_+-]+$"
"""What an address may hold: the vendor's tool hands it to a shell."""


class ModelSet(Section):
    """Files that belong together."""

    chip: str
    """The chip that they were made for, or "any"."""
    holds: str
    use: str
    """Which services use it."""
    files: tuple[Annotated[str, Field(pattern=_ADDRESS)], ...] = Field(min_length=1)
    """Addresses of the vendor's file server, as its tool takes them."""
    verified: bool = False
    """Whether these very files were fetched and used with this version."""


@cache
def model_sets() -> dict[str, ModelSet]:
    """All sets, by name."""
    table = tomllib.loads(files(__package__).joinpath("model_sets.toml").read_text("utf-8"))
    return {name: ModelSet.model_validate(entry) for name, entry in table.items()}


def model_set(name: str) -> ModelSet:
    """The set of that name; NotFound lists those that exist."""
    found = model_sets().get(name)
    if found is None:
        known = ", ".join(model_sets())
        raise NotFound(f"there is no set of models named {name!r}; there are: {known}")
    return found

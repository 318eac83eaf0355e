"""``voicemesh config``: every setting, its value and where it came from."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from voicemesh.core_plan import wrong_cores
from voicemesh.engine_choices import wrong_choices
from voicemesh.settings import Settings, Value, defaults

_LONGEST = 60
_MASK = "**********"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON, values in full")
    form.add_argument(
        "--toml", action="store_true", help="print a voicemesh.toml of all defaults, explained"
    )


def plain(value: Any) -> Any:
    """A setting as JSON can hold it; secrets that are set become asterisks."""
    match value:
        case SecretStr() | SecretBytes():
            return _MASK if value.get_secret_value() else ""
        case BaseModel():
            return {name: plain(getattr(value, name)) for name in type(value).model_fields}
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case set() | frozenset():
            return sorted(plain(item) for item in value)
        case PurePath():
            return str(value)
    return value


def _short(value: Any) -> str:
    text = json.dumps(plain(value), ensure_ascii=False)
    if len(text) <= _LONGEST:
        return text
    if isinstance(value, list | tuple | set | frozenset | dict):
        return f"{text[: _LONGEST - 20]}… ({len(value)} items)"
    return f"{text[: _LONGEST - 1]}…"


def table(values: Iterable[Value]) -> str:
    """The settings in three columns."""
    rows = [(value.path, _short(value.value), value.source) for value in values]
    first = max(len(row[0]) for row in rows)
    second = max(len(row[1]) for row in rows)
    return "\n".join(f"{path:{first}}  {text:{second}}  {source}" for path, text, source in rows)


def _toml_value(value: Any) -> str:
    """A value as TOML spells it; JSON's spelling but for tables."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {_toml_value(item)}" for key, item in value.items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_toml_value(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)


def _toml_lines(values: Iterable[Value]) -> Iterator[str]:
    yield "# Settings of voicemesh. Every line that begins with #name holds a default:"
    yield "# take the # away and change the value."
    for section, members in groupby(values, key=lambda value: value.path.rpartition(".")[0]):
        yield f"\n[{section}]"
        for member in members:
            yield from textwrap.wrap(
                member.description, 98, initial_indent="# ", subsequent_indent="# "
            )
            name = member.path.rpartition(".")[2]
            value = plain(member.value)
            yield f"#{name} =" if value is None else f"#{name} = {_toml_value(value)}"


def toml() -> str:
    """A settings file that explains every setting and sets none."""
    # A section's own values come before its sub-sections', as TOML wants it.
    values = sorted(defaults().values(), key=lambda value: value.path.split(".")[:-1])
    return "\n".join(_toml_lines(values))


def _wrong(settings: Settings) -> Iterator[str]:
    """What no model of the settings can know to be wrong: engines and cores that are not here."""
    yield from wrong_choices(settings)
    yield from (f"{setting}: {problem}" for setting, problem in wrong_cores(settings))


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    if options.toml:
        print(toml())
    elif options.json:
        entries = {
            value.path: {"value": plain(value.value), "source": value.source}
            for value in settings.values()
        }
        print(json.dumps(entries, ensure_ascii=False, indent=2))
    else:
        print(table(settings.values()))
    if settings.elsewhere:
        print(f"voicemesh: {settings.unread()}", file=sys.stderr)
    wrong = [] if options.toml else list(_wrong(settings))
    for sentence in wrong:
        print(f"voicemesh: {sentence}", file=sys.stderr)
    return 2 if wrong else 0

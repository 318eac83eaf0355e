"""A conversation as the model was trained to read it: the publisher's Jinja template.

The template comes with the model's files, so it runs in Jinja's sandbox: it sees
the messages and nothing else. Templates expect the environment of the library
that introduced them: blocks trimmed, ``raise_exception``, ``strftime_now``, JSON
that keeps Chinese characters readable, ``break`` and ``continue``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from voicemesh.errors import SettingsError
from voicemesh_llm.engines.engine import Message, Role
from voicemesh_llm.engines.prompt_notes import with_interruption_note

BUILT_IN = ("chatml", "llama3", "minicpm")
"""Templates of our own, for folders that bring none."""
_FIELD = "llm.sophon_llm.chat_template"


def template_source(setting: str, published: str) -> str:
    """The source that ``setting`` names (a built-in or a file), else the published one."""
    if setting in BUILT_IN:
        return files(__package__).joinpath("templates", f"{setting}.jinja").read_text("utf-8")
    if setting:
        try:
            return Path(setting).expanduser().read_text(encoding="utf-8")
        except OSError as error:
            raise SettingsError(
                f"{setting} cannot be read ({error.strerror}); name a file or one of "
                f"{', '.join(BUILT_IN)}",
                field=_FIELD,
            ) from error
    if not published:
        raise SettingsError(
            "the tokenizer's files hold no chat template; set llm.sophon_llm.chat_template to one "
            f"of {', '.join(BUILT_IN)} or to a file",
            field=_FIELD,
        )
    return published


class ChatTemplate:
    """Writes prompts."""

    def __init__(
        self, source: str, special: Mapping[str, str], options: Mapping[str, Any] | None = None
    ) -> None:
        """``special``: bos_token, eos_token, ...; ``options``: further variables.

        SettingsError where the source is no template.
        """
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = _now
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise SettingsError(
                f"the chat template cannot be read ({error}); set llm.sophon_llm.chat_template",
                field=_FIELD,
            ) from error
        self._variables = {"bos_token": "", "eos_token": "", **special, **(options or {})}

    def write(self, messages: Sequence[Message]) -> str:
        """The prompt for ``messages``, up to where the reply begins.

        A template without a system role gets its text in front of the first question.
        """
        told = [_entry(message) for message in messages]
        try:
            return self._render(told)
        except TemplateError as error:
            merged = _without_system(told)
            if merged == told:
                raise self._broken(error) from error
        try:
            return self._render(merged)
        except TemplateError as error:
            raise self._broken(error) from error

    def _render(self, messages: Sequence[Mapping[str, str]]) -> str:
        return self._template.render(
            **self._variables, messages=messages, add_generation_prompt=True, tools=None
        )

    def _broken(self, error: TemplateError) -> SettingsError:
        return SettingsError(
            f"the chat template refuses the conversation ({error}); set "
            f"llm.sophon_llm.chat_template to one of {', '.join(BUILT_IN)} or to a file",
            field=_FIELD,
        )


def begins_in_thought(prompt: str) -> bool:
    """Whether the template has opened the model's reasoning already."""
    return prompt.rstrip().endswith(("<think>", "<thinking>"))


def _entry(message: Message) -> dict[str, str]:
    message = with_interruption_note(message)
    return {"role": message.role.value, "content": message.text}


def _without_system(messages: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The leading system texts, put in front of the first question."""
    system = Role.SYSTEM.value
    rules = [message["content"] for message in messages if message["role"] == system]
    rest = [dict(message) for message in messages if message["role"] != system]
    if rules and rest:
        rest[0]["content"] = "\n\n".join([*rules, rest[0]["content"]])
    return rest


def _to_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(reason: str) -> NoReturn:
    raise TemplateError(reason)


def _now(pattern: str) -> str:
    return datetime.now().strftime(pattern)

"""Adds the persona, bounds the history and fills in the settings' defaults."""

from __future__ import annotations

from dataclasses import replace

from voicemesh_llm.engines.engine import LanguageModel, Prompt
from voicemesh_llm.prompting.history import bound_history
from voicemesh_llm.prompting.persona import with_persona
from voicemesh_llm.settings import LanguageModelSettings


def build_prompt(
    prompt: Prompt, settings: LanguageModelSettings, model: LanguageModel
) -> tuple[Prompt, int]:
    """What the engine gets, and how many of the oldest messages did not fit.

    InvalidArgument when the last message alone is over the budget.
    """
    output_tokens = prompt.max_output_tokens or settings.max_output_tokens
    messages = with_persona(
        prompt.messages, prompt.language_code, settings.system_prompt, settings.system_prompt_zh
    )
    longest, cure = _longest_prompt(settings, model, output_tokens)
    history = bound_history(
        messages,
        settings.max_exchanges,
        longest - _beside(prompt, model),
        model.count_tokens,
        cure,
    )
    built = replace(
        prompt,
        messages=history.messages,
        stop=tuple(dict.fromkeys((*prompt.stop, *settings.stop))),
        max_output_tokens=output_tokens,
    )
    return built, history.dropped


def _longest_prompt(
    settings: LanguageModelSettings, model: LanguageModel, output_tokens: int
) -> tuple[int, str]:
    """The tokens that a prompt may have, and what would raise them."""
    context = model.capabilities.context_tokens
    fits = max(context - output_tokens, context // 2)
    if context and fits < settings.max_prompt_tokens:
        return fits, f"take a model with a longer sequence than the {context} of {model.model}"
    return settings.max_prompt_tokens, "raise llm.max_prompt_tokens"


def _beside(prompt: Prompt, model: LanguageModel) -> int:
    """The tokens that facts and tools take of the prompt."""
    beside = [f"{name}: {value}" for name, value in prompt.facts.items()]
    beside += [t.name + t.description + t.parameters_json_schema for t in prompt.tools]
    return sum(model.count_tokens(text) for text in beside)

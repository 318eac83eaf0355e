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
    history = bound_history(
        messages,
        settings.max_exchanges,
        _budget(prompt, settings, model, output_tokens),
        model.count_tokens,
    )
    built = replace(
        prompt,
        messages=history.messages,
        stop=tuple(dict.fromkeys((*prompt.stop, *settings.stop))),
        max_output_tokens=output_tokens,
    )
    return built, history.dropped


def _budget(
    prompt: Prompt, settings: LanguageModelSettings, model: LanguageModel, output_tokens: int
) -> int:
    """The tokens that messages may take: what facts and tools leave of the prompt."""
    budget = settings.max_prompt_tokens
    if context := model.capabilities.context_tokens:
        budget = min(budget, max(context - output_tokens, context // 2))
    beside = [f"{name}: {value}" for name, value in prompt.facts.items()]
    beside += [t.name + t.description + t.parameters_json_schema for t in prompt.tools]
    return budget - sum(model.count_tokens(text) for text in beside)

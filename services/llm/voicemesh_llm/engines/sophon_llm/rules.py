"""From settings, the publisher's advice and a request to one sampling rule."""

from __future__ import annotations

from collections.abc import Mapping

from voicemesh.errors import SettingsError, Unsupported
from voicemesh_llm.engines.engine import Sampling
from voicemesh_llm.engines.sophon_llm.sampling import SamplingRule
from voicemesh_llm.engines.sophon_llm.settings import SophonLLMSettings


class SamplingRules:
    """The model's default rule, and what a request makes of it."""

    def __init__(
        self, settings: SophonLLMSettings, recommended: Mapping[str, float], only_greedy: bool
    ) -> None:
        """``recommended``: from generation_config.json. ``only_greedy``: no logits come out.

        SettingsError where settings ask for what the model cannot.
        """
        self._only_greedy = only_greedy
        advice = {} if only_greedy else recommended

        def chosen(name: str, otherwise: float) -> float:
            value = getattr(settings, name)
            return float(value if value is not None else advice.get(name, otherwise))

        self.default = SamplingRule(
            temperature=chosen("temperature", 0.0),
            top_p=chosen("top_p", 1.0),
            top_k=int(chosen("top_k", 0)),
            min_p=chosen("min_p", 0.0),
            repetition_penalty=chosen("repetition_penalty", 1.0),
        )
        if only_greedy and not self.default.greedy:
            raise SettingsError(
                "the model's head gives the likeliest token alone; leave temperature and "
                "repetition_penalty of llm.sophon_llm unset, or convert the model with "
                "--do_sample",
                field="llm.sophon_llm.temperature",
            )

    def rule(self, wanted: Sampling) -> SamplingRule:
        """The rule for a request; Unsupported where the model's head cannot follow it."""
        default = self.default
        rule = SamplingRule(
            temperature=_or(wanted.temperature, default.temperature),
            top_p=_or(wanted.top_p, default.top_p),
            top_k=default.top_k if wanted.top_k is None else wanted.top_k,
            min_p=default.min_p,
            repetition_penalty=_or(wanted.repetition_penalty, default.repetition_penalty),
        )
        if self._only_greedy and not rule.greedy:
            name = "temperature" if rule.temperature else "repetition_penalty"
            raise Unsupported(
                "this model chooses the likeliest token inside its last net; leave "
                f"{name} out, or serve a model converted with --do_sample",
                field=f"generation.sampling.{name}",
            )
        return rule


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value

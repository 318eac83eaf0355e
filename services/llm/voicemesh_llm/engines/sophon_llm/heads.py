"""From the last hidden state to the next token: what the nets can do of it, and the rest.

``lm_head`` gives the likeliest token itself (fused), or logits. With logits there may
be a ``greedy_head``, and a ``sample_head`` that gives the 50 likeliest tokens after
penalty and temperature; or the host takes the logits and chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from voicemesh_llm.engines.sophon_llm.layout import Layout
from voicemesh_llm.engines.sophon_llm.sampling import (
    Ids,
    Logits,
    Sampler,
    SamplingRule,
    trimmed,
)
from voicemesh_sophon.client import (
    Chip,
    DeviceTensor,
    Launch,
    Net,
    Read,
    Step,
    Write,
    from_bfloat16,
)

Results: TypeAlias = list[npt.NDArray[Any]]


class Head(Protocol):
    """Chooses tokens for one reply."""

    def steps(self, state: DeviceTensor, recent: Sequence[int]) -> list[Step]:
        """What the chip does with the hidden state; ``recent`` are the ids before."""

    def token(self, results: Results, recent: Sequence[int]) -> int:
        """The choice, from what the steps have read."""


class FusedHead:
    """The likeliest token, chosen inside ``lm_head``."""

    def __init__(self, chip: Chip, layout: Layout) -> None:
        """Takes memory for the token."""
        self._lm_head = layout.lm_head
        self._shape = (1, layout.hidden)
        out = layout.lm_head.outputs[0]
        self._token = chip.tensor(out.shape, out.dtype)

    def steps(self, state: DeviceTensor, recent: Sequence[int]) -> list[Step]:
        """See Head."""
        return [Launch(self._lm_head, [state], [self._token], [self._shape]), Read(self._token)]

    def token(self, results: Results, recent: Sequence[int]) -> int:
        """See Head."""
        return int(results[0].reshape(-1)[0])


class LogitsHead:
    """Brings the logits to the host."""

    def __init__(self, chip: Chip, layout: Layout, real: int) -> None:
        """``real``: how many tokens the tokenizer knows; what is behind is padding."""
        self._lm_head = layout.lm_head
        self._shape = (1, layout.hidden)
        self._real = real
        out = layout.lm_head.outputs[0]
        self.tensor = chip.tensor(out.shape, out.dtype)

    def launch(self, state: DeviceTensor) -> Step:
        """The launch of ``lm_head`` alone."""
        return Launch(self._lm_head, [state], [self.tensor], [self._shape])

    def logits(self, results: Results) -> Logits:
        """The logits of the tokens that exist, shape (V,), float32."""
        stored = results[0]
        full = from_bfloat16(stored) if self.tensor.dtype == "bfloat16" else stored
        return full.reshape(-1)[: self._real].astype(np.float32)


class HostHead:
    """Chooses on the host; with temperature 0 and no penalty the likeliest token."""

    def __init__(self, logits: LogitsHead, sampler: Sampler) -> None:
        """``sampler`` is this reply's own."""
        self._logits = logits
        self._sampler = sampler

    def steps(self, state: DeviceTensor, recent: Sequence[int]) -> list[Step]:
        """See Head."""
        return [self._logits.launch(state), Read(self._logits.tensor)]

    def token(self, results: Results, recent: Sequence[int]) -> int:
        """See Head."""
        return self._sampler.choose(self._logits.logits(results), recent)


class GreedyHead:
    """The likeliest token, chosen by ``greedy_head``."""

    def __init__(self, chip: Chip, logits: LogitsHead, net: Net) -> None:
        """Takes memory for the token."""
        self._logits = logits
        self._net = net
        self._token = chip.tensor(net.outputs[0].shape, net.outputs[0].dtype)

    def steps(self, state: DeviceTensor, recent: Sequence[int]) -> list[Step]:
        """See Head."""
        choose = Launch(self._net, [self._logits.tensor], [self._token])
        return [self._logits.launch(state), choose, Read(self._token)]

    def token(self, results: Results, recent: Sequence[int]) -> int:
        """See Head."""
        return int(results[0].reshape(-1)[0])


class SampleNet:
    """``sample_head`` or ``penalty_sample_head`` with its memory.

    Their parameters come in different orders, so they are bound by name.
    """

    def __init__(self, chip: Chip, logits: LogitsHead, net: Net) -> None:
        """Takes memory for parameters and results."""
        self.logits = logits
        self._net = net
        self._given = {
            slot.name: chip.tensor(slot.shape, slot.dtype)
            for slot in net.inputs
            if slot.name != LOGITS
        }
        self._results = [chip.tensor(slot.shape, slot.dtype) for slot in net.outputs]
        floats = [slot.dtype == "float32" for slot in net.outputs]
        self._shares, self._ids = (0, 1) if floats[0] else (1, 0)
        self.most = net.outputs[0].shape[-1]
        self.window = next(slot.shape[-1] for slot in net.inputs if slot.name == "input_ids")

    def can(self, rule: SamplingRule) -> bool:
        """Whether its candidates are enough for a rule; without top-k they are as if all."""
        return rule.temperature > 0 and rule.top_k <= self.most

    def steps(self, rule: SamplingRule, recent: Sequence[int]) -> list[Step]:
        """The launch behind ``lm_head``, and the reading of its results.

        Heads differ in what top-p means: those of today keep five tokens in any case
        and leave out the one that reaches the share. So they are asked for all of
        their candidates, and the host takes its choice as it would of the logits.
        """
        parameters = {
            "penalty": rule.repetition_penalty,
            "temperature": rule.temperature,
            "top_p": 1.0,
            "top_k": self.most,
        }
        steps: list[Step] = [
            Write(tensor, np.full(tensor.shape, parameters[name], _HOST[tensor.dtype]))
            for name, tensor in self._given.items()
            if name in parameters
        ]
        steps.append(Write(self._given["input_ids"], self._window(recent)))
        inputs = [self._given.get(slot.name, self.logits.tensor) for slot in self._net.inputs]
        steps.append(Launch(self._net, inputs, self._results))
        return [*steps, *(Read(tensor) for tensor in self._results)]

    def candidates(
        self, results: Results, rule: SamplingRule
    ) -> tuple[Ids, npt.NDArray[np.float64]]:
        """Ids and their shares, likeliest first, as the rule leaves them."""
        ids, shares = results[self._ids].reshape(-1), results[self._shares].reshape(-1)
        return trimmed(ids.astype(np.int64), shares.astype(np.float64), rule)

    def _window(self, recent: Sequence[int]) -> npt.NDArray[np.int32]:
        """The latest ids, the last one repeated behind: an id counts once in any case."""
        last = list(recent)[-self.window :]
        last += last[-1:] * (self.window - len(last))
        return np.asarray([last], np.int32)


class ChipSampleHead:
    """Lets the chip find the candidates and draws one of them on the host."""

    def __init__(self, net: SampleNet, sampler: Sampler) -> None:
        """``sampler`` is this reply's own."""
        self._net = net
        self._sampler = sampler

    def steps(self, state: DeviceTensor, recent: Sequence[int]) -> list[Step]:
        """See Head."""
        return [self._net.logits.launch(state), *self._net.steps(self._sampler.rule, recent)]

    def token(self, results: Results, recent: Sequence[int]) -> int:
        """See Head."""
        return self._sampler.draw(*self._net.candidates(results, self._sampler.rule))


LOGITS = "m_logits"
_HOST = {"float32": np.float32, "int32": np.int32}


class Heads:
    """The heads of a model, chosen by what a reply asks for."""

    def __init__(self, chip: Chip, layout: Layout, real: int) -> None:
        """``real``: the size of the tokenizer's vocabulary."""
        self._fused = FusedHead(chip, layout) if layout.fused_greedy else None
        if self._fused is not None:
            return
        self.logits = LogitsHead(chip, layout, real)
        whole = layout.lm_head.outputs[0].dtype == "float32"
        greedy, sample = layout.greedy_head, layout.sample_head
        self._greedy = GreedyHead(chip, self.logits, greedy) if greedy and whole else None
        self._sample = SampleNet(chip, self.logits, sample) if sample and whole else None

    @property
    def only_greedy(self) -> bool:
        """Whether no logits come out, so that nothing but the likeliest token can be had."""
        return self._fused is not None

    @property
    def samples_on_chip(self) -> bool:
        """Whether there is a sampling head."""
        return self._fused is None and self._sample is not None

    def choose(self, rule: SamplingRule, seed: int | None, on_chip: bool) -> Head:
        """The head for a rule that the model can follow.

        ``on_chip``: let the sampling head find the candidates, where there is one.
        """
        if self._fused is not None:
            return self._fused
        if rule.greedy and self._greedy is not None:
            return self._greedy
        sampler = Sampler(rule, seed)
        if on_chip and self._sample is not None and self._sample.can(rule):
            return ChipSampleHead(self._sample, sampler)
        return HostHead(self.logits, sampler)

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
    Argument,
    Chip,
    DeviceTensor,
    Launch,
    Net,
    Read,
    Start,
    from_bfloat16,
)

Results: TypeAlias = list[npt.NDArray[Any]]


class Head(Protocol):
    """Chooses tokens for one reply."""

    def start(self, recent: Sequence[int]) -> Start:
        """What the chip does with the last hidden state; ``recent`` are the ids before."""

    def token(self, results: Results, recent: Sequence[int]) -> int:
        """The choice, from what the start has read."""


class FusedHead:
    """The likeliest token, chosen inside ``lm_head``."""

    def __init__(self, chip: Chip, layout: Layout, state: DeviceTensor) -> None:
        """Takes memory for the token. ``state``: where the last hidden state is."""
        out = layout.lm_head.outputs[0]
        token = chip.tensor(out.shape, out.dtype)
        launch = Launch(layout.lm_head, [state], [token], [(1, layout.hidden)])
        self._program = chip.prepare([launch, Read(token)])

    def start(self, recent: Sequence[int]) -> Start:
        """See Head."""
        return Start(self._program)

    def token(self, results: Results, recent: Sequence[int]) -> int:
        """See Head."""
        return int(results[0].reshape(-1)[0])


class LogitsHead:
    """Brings the logits to the host."""

    def __init__(self, chip: Chip, layout: Layout, real: int, state: DeviceTensor) -> None:
        """``real``: how many tokens the tokenizer knows; what is behind is padding.

        ``state``: where the last hidden state is.
        """
        self._real = real
        out = layout.lm_head.outputs[0]
        self.tensor = chip.tensor(out.shape, out.dtype)
        self.launch = Launch(layout.lm_head, [state], [self.tensor], [(1, layout.hidden)])
        """Of ``lm_head`` alone."""
        self._program = chip.prepare([self.launch, Read(self.tensor)])

    def start(self) -> Start:
        """The launch of ``lm_head``, and the reading of the logits."""
        return Start(self._program)

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

    def start(self, recent: Sequence[int]) -> Start:
        """See Head."""
        return self._logits.start()

    def token(self, results: Results, recent: Sequence[int]) -> int:
        """See Head."""
        return self._sampler.choose(self._logits.logits(results), recent)


class GreedyHead:
    """The likeliest token, chosen by ``greedy_head``."""

    def __init__(self, chip: Chip, logits: LogitsHead, net: Net) -> None:
        """Takes memory for the token."""
        token = chip.tensor(net.outputs[0].shape, net.outputs[0].dtype)
        choose = Launch(net, [logits.tensor], [token])
        self._program = chip.prepare([logits.launch, choose, Read(token)])

    def start(self, recent: Sequence[int]) -> Start:
        """See Head."""
        return Start(self._program)

    def token(self, results: Results, recent: Sequence[int]) -> int:
        """See Head."""
        return int(results[0].reshape(-1)[0])


class SampleNet:
    """``sample_head`` or ``penalty_sample_head`` with its memory.

    Their parameters come in different orders, so they are bound by name.
    """

    def __init__(self, chip: Chip, logits: LogitsHead, net: Net) -> None:
        """Takes memory for parameters and results."""
        given = {
            slot.name: chip.tensor(slot.shape, slot.dtype)
            for slot in net.inputs
            if slot.name != LOGITS
        }
        self._given = {name: given[name] for name in (*_PARAMETERS, "input_ids") if name in given}
        results = [chip.tensor(slot.shape, slot.dtype) for slot in net.outputs]
        inputs = [given.get(slot.name, logits.tensor) for slot in net.inputs]
        self._program = chip.prepare(
            [
                logits.launch,
                *(Argument(tensor) for tensor in self._given.values()),
                Launch(net, inputs, results),
                *(Read(tensor) for tensor in results),
            ]
        )
        floats = [slot.dtype == "float32" for slot in net.outputs]
        self._shares, self._ids = (0, 1) if floats[0] else (1, 0)
        self.most = net.outputs[0].shape[-1]
        self.window = next(slot.shape[-1] for slot in net.inputs if slot.name == "input_ids")

    def can(self, rule: SamplingRule) -> bool:
        """Whether its candidates are enough for a rule; without top-k they are as if all."""
        return rule.temperature > 0 and rule.top_k <= self.most

    def start(self, rule: SamplingRule, recent: Sequence[int]) -> Start:
        """``lm_head``, the launch behind it, and the reading of its results.

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
        arrays = [
            np.full(tensor.shape, parameters[name], _HOST[tensor.dtype])
            for name, tensor in self._given.items()
            if name in parameters
        ]
        return Start(self._program, [*arrays, self._window(recent)])

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

    def start(self, recent: Sequence[int]) -> Start:
        """See Head."""
        return self._net.start(self._sampler.rule, recent)

    def token(self, results: Results, recent: Sequence[int]) -> int:
        """See Head."""
        return self._sampler.draw(*self._net.candidates(results, self._sampler.rule))


LOGITS = "m_logits"
_PARAMETERS = ("penalty", "temperature", "top_p", "top_k")
_HOST = {"float32": np.float32, "int32": np.int32}


class Heads:
    """The heads of a model, chosen by what a reply asks for."""

    def __init__(self, chip: Chip, layout: Layout, real: int, state: DeviceTensor) -> None:
        """``real``: the size of the tokenizer's vocabulary. ``state``: the last hidden one."""
        self._fused = FusedHead(chip, layout, state) if layout.fused_greedy else None
        if self._fused is not None:
            return
        self.logits = LogitsHead(chip, layout, real, state)
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

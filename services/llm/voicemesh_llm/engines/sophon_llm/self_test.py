"""The self-test of a model at load: what its weights are worth.

Converters take weights as they lie in a file: a checkpoint in the wrong 16-bit format
becomes a bmodel without a message and answers "!!!!". Overflow in float16 gives
not-a-number, and some quantised files have decode nets that disagree with their
prefill nets. All of it shows in the numbers of a first reply.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from voicemesh.errors import EngineError
from voicemesh_llm.engines.sophon_llm.feeding import Kind, PromptPiece
from voicemesh_llm.engines.sophon_llm.heads import Heads
from voicemesh_llm.engines.sophon_llm.network import TransformerNetwork
from voicemesh_llm.engines.sophon_llm.sampling import SamplingRule

Floats = npt.NDArray[np.float32]
FAINTEST, LOUDEST = 1e-4, 1e3
"""Root mean square of embeddings. Real ones lie between 0.005 and about 10, a table
read in the wrong format near 1e-6 or far above."""
SAME = 0.9
"""Least cosine of a token's state by prefill and by decode; exact nets give 1."""
DIFFERENT = 0.9999
"""Most cosine of the states behind two different questions."""
FLATTEST = 1e-3
"""Least standard deviation of logits; real ones lie near 1 to 5."""
STEPS = 4


class SelfTest:
    """Asks and looks. EngineError says what is wrong with the weights."""

    def __init__(self, network: TransformerNetwork, heads: Heads) -> None:
        """Both of one model."""
        self._network = network
        self._heads = heads
        self._head = heads.choose(SamplingRule(), None, on_chip=False)
        self._file = network.layout.file

    def run(self, first: Sequence[int], second: Sequence[int]) -> None:
        """Two different prompts, each of at least 2 tokens and at most one piece."""
        self._check_embedding(self._network.embedded(first))
        one = self._state_by_prefill(first)
        self._check_logits()
        said = self._reply(len(first))
        other = self._state_by_prefill(second)
        if cosine(one, other) > DIFFERENT:
            self._refuse("two different questions leave it in the same state")
        said |= self._reply(len(second))
        if len(said) == 1:
            self._refuse(f"it answers both questions with token {said.pop()} over and over")
        self._check_step(second, other)

    def _check_embedding(self, states: Floats) -> None:
        self._check_finite(states, "embeddings")
        loudness = float(np.sqrt(np.mean(np.square(states, dtype=np.float64))))
        if not FAINTEST <= loudness <= LOUDEST:
            self._refuse(f"the embeddings have a root mean square of {loudness:.1e}")

    def _state_by_prefill(self, ids: Sequence[int]) -> Floats:
        self._network.activate(0, 0, 0)
        self._network.feed(PromptPiece(Kind.WHOLE, 0, len(ids)), ids, _never)
        state = self._network.last_state()
        self._check_finite(state, "states after the last layer")
        if float(np.std(state)) == 0:
            self._refuse("all states after the last layer are equal")
        return state

    def _check_logits(self) -> None:
        """Where they come out at all."""
        logits = self._network.logits(self._heads)
        if logits is None:
            return
        self._check_finite(logits, "logits")
        if float(np.std(logits)) < FLATTEST:
            self._refuse("all tokens are equally likely")

    def _reply(self, position: int) -> set[int]:
        """The tokens of a short reply."""
        network = self._network
        said = [network.token(self._head, [0])]
        for step in range(STEPS):
            said.append(network.step(said[-1], position + step, self._head, [0]))
        return set(said)

    def _check_step(self, ids: Sequence[int], by_prefill: Floats) -> None:
        """Decode the last token again over the same cache."""
        last = len(ids) - 1
        self._network.feed(PromptPiece(Kind.STEP, last, last + 1), ids, _never)
        by_step = self._network.last_state()
        self._check_finite(by_step, "states after a decode step")
        if cosine(by_prefill, by_step) < SAME:
            self._refuse(
                "block_cache and block nets disagree about the same token "
                f"(cosine {cosine(by_prefill, by_step):.2f})"
            )

    def _check_finite(self, values: Floats, what: str) -> None:
        if not np.isfinite(values).all():
            self._refuse(f"the {what} are not finite")

    def _refuse(self, why: str) -> NoReturn:
        raise EngineError(
            f"{self._file}: the weights are unusable: {why}; convert the model again with the "
            "precision of its checkpoint (-q bf16 or w4bf16 for bfloat16, -q f16 or w4f16 for "
            "float16), or fetch the file again"
        )


def cosine(first: Floats, second: Floats) -> float:
    """Of two states; 1 where they point the same way."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length else 0.0


def _never() -> bool:
    return False

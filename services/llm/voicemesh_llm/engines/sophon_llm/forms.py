"""Forms of published bmodels that are no language model, or one that is not driven.

Told by the names of nets and inputs, which converters have kept since 2024, and by the
shapes of the first layer. Each with its true reason: what is said here is all that a
person who has fetched the wrong file gets to see.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from voicemesh_sophon.client import Net

CHOOSE = "set llm.sophon_llm.model to the bmodel of a text model for one chip"
CONVERT = "convert the model again with a current llm_convert of tpu_mlir"
HISTORY = "convert it again with --use_history_kv of tpu_mlir 1.30 or newer"

_AUDIO = ("audio", "audio_ext_model")
_WHISPER = re.compile(r"encoder|logits_decoder|decoder_(main|post|loop)|kvcache_rearrange")
_LAYER = re.compile(r"block_\d+$")
_MOST_NAMED = 4


def undriven(nets: Mapping[str, Net]) -> tuple[str, str] | None:
    """Why a file with these nets is not driven, and the cure; None where nothing is known of it."""
    audio = next((name for name in _AUDIO if name in nets), "")
    if audio:
        return f"is made for sound (net {audio}), no language model for answers in text", CHOOSE
    if not any(_LAYER.match(name) for name in nets):
        return _no_layers(nets), CHOOSE
    if "embedding" not in nets and "lm_head" not in nets:
        return (
            "is a part of a set for several chips, without embedding and lm_head",
            CHOOSE,
        )
    recurrent = next((net for net in nets.values() if _is_recurrent(net)), None)
    if recurrent is not None:
        return (
            f"mixes in linear attention ({recurrent.name} takes {recurrent.inputs[1].name}), as "
            "Qwen3.5 and MiniCPM-V 4.6 do, which is not driven",
            CHOOSE,
        )
    shared = nets.get("block_prompt_0")
    if shared is not None and shared.dynamic:
        return "is a dynamic share-prompt build (net block_prompt_0), which is not driven", HISTORY
    first, step = nets.get("block_0"), nets.get("block_cache_0")
    if first is None or step is None:
        missing = "block_0" if first is None else "block_cache_0"
        return f"lacks {missing}: it is a part of a set, or no language model for one chip", CHOOSE
    return _first_layer(first, step)


def _no_layers(nets: Collection[str]) -> str:
    some = ", ".join(sorted(nets)[:_MOST_NAMED])
    more = ", ..." if len(nets) > _MOST_NAMED else ""
    whose = " but of a Whisper recogniser" if any(map(_WHISPER.match, nets)) else ""
    return f"is no language model{whose}: it has no block_0, only {some}{more}"


def _is_recurrent(net: Net) -> bool:
    return any(slot.name.startswith("recurrent_state") for slot in net.inputs)


def _first_layer(first: Net, step: Net) -> tuple[str, str] | None:
    takes = len(first.inputs)
    chips, rest = divmod(len(step.inputs), 5)
    if chips > 1 and not rest and takes in (3 * chips, 5 * chips):
        return f"is split over {chips} chips (block_0 has {takes} inputs)", CHOOSE
    states = step.inputs[0].shape
    if len(states) == 3 and states[0] > 1:
        return (
            f"answers {states[0]} requests at once (block_cache_0 takes states {list(states)})",
            CHOOSE,
        )
    if takes > 1 and 3 in first.inputs[1].shape[:-1]:
        return (
            f"takes three rows of positions (block_0: {list(first.inputs[1].shape)}), as the text "
            "part of a vision model does, which is not driven",
            CHOOSE,
        )
    return None

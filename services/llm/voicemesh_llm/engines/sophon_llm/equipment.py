"""Makes a model ready: files, nets, tokenizer, heads, and the test of its weights."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from voicemesh.errors import EngineError, SettingsError
from voicemesh_llm.engines.engine import Message, Role
from voicemesh_llm.engines.sophon_llm.chat_template import ChatTemplate, template_source
from voicemesh_llm.engines.sophon_llm.decoding_loop import Equipment
from voicemesh_llm.engines.sophon_llm.feeding import Pace
from voicemesh_llm.engines.sophon_llm.fixed_question import fixed_question
from voicemesh_llm.engines.sophon_llm.heads import Heads
from voicemesh_llm.engines.sophon_llm.kv_memory import kv_memory
from voicemesh_llm.engines.sophon_llm.layout import Layout, read_layout
from voicemesh_llm.engines.sophon_llm.network import TransformerNetwork
from voicemesh_llm.engines.sophon_llm.pace_measurement import measure
from voicemesh_llm.engines.sophon_llm.prompts import PromptWriter
from voicemesh_llm.engines.sophon_llm.rules import SamplingRules
from voicemesh_llm.engines.sophon_llm.self_test import SelfTest
from voicemesh_llm.engines.sophon_llm.settings import SophonLLMSettings
from voicemesh_llm.engines.sophon_llm.tokenizer_folder import find_folder, read_folder
from voicemesh_llm.engines.sophon_llm.tokens import Tokens, end_ids, read_tokens
from voicemesh_sophon.client import Chip, read_model
from voicemesh_sophon.models.bmodel_paths import bmodels
from voicemesh_sophon.placing.placement import Placement

log = logging.getLogger(__name__)
_QUESTIONS = ("What is artificial intelligence?", "你好。")


def equip(chip: Chip, settings: SophonLLMSettings, placement: Placement) -> Equipment:
    """Load what the settings name onto the chip; blocks for as long as that takes.

    SettingsError or EngineError, naming file and cure, where something does not fit.
    """
    model = model_file(settings)
    folder = read_folder(find_folder(model, settings.tokenizer))
    tokens = read_tokens(folder.tokenizer)
    source = template_source(settings.chat_template, folder.template)
    template = ChatTemplate(source, folder.special, settings.template_options)
    began = time.perf_counter()
    own_io = _own_io(chip, placement)
    loaded = chip.load(model, own_io=own_io, checked=True)
    layout = read_layout(loaded.nets, model.name)
    _check_vocabulary(layout, tokens, folder.tokenizer)
    kv = kv_memory(chip, layout, own_io, settings.slots)
    network = TransformerNetwork(chip, layout, own_io, kv, settings.piece_tokens)
    heads = Heads(chip, layout, tokens.size, network.last)
    chip.check(loaded, fixed_question(chip, layout, own_io, kv.of(0), tokens.size))
    if settings.self_test:
        most = min(network.reach.piece, layout.longest_prompt - 8)
        first, second = (
            tokens.encode(template.write([Message(Role.USER, (question,))]))[-most:]
            for question in _QUESTIONS
        )
        SelfTest(network, heads).run(first, second)
    # Where the settings decide there is nothing to find out.
    pace = measure(network) if settings.steps_up_to_tokens is None else Pace()
    log.info(
        "%s is ready after %.1f s: %d layers, sequence %d, prefill of %d%s, %s, %s%s",
        model.name,
        time.perf_counter() - began,
        layout.layers,
        layout.sequence,
        layout.piece,
        " with history" if network.reach.history else "",
        layout.dtype,
        "greedy head only" if heads.only_greedy else "logits",
        " and a sampling head" if heads.samples_on_chip else "",
    )
    return Equipment(
        tokens=tokens,
        ends=end_ids(tokens, folder.end_ids, folder.special.get("eos_token")),
        prompts=PromptWriter(template, tokens, layout.longest_prompt, layout.sequence),
        network=network,
        heads=heads,
        rules=SamplingRules(settings, folder.sampling, heads.only_greedy),
        pace=pace,
    )


def outline(settings: SophonLLMSettings) -> Layout:
    """What the model's file says of itself, its tokenizer looked at; no chip is needed.

    SettingsError or EngineError as ``equip``.
    """
    model = model_file(settings)
    folder = read_folder(find_folder(model, settings.tokenizer))
    layout = read_layout(read_model(model).nets, str(model))
    _check_vocabulary(layout, read_tokens(folder.tokenizer), folder.tokenizer)
    return layout


def model_file(settings: SophonLLMSettings) -> Path:
    """The bmodel that the settings name; SettingsError where there is no such file, or several."""
    model, *others = bmodels([settings.model or Path()])
    if others:
        raise SettingsError(
            f"{settings.model} stands for {len(others) + 1} bmodels; "
            "set llm.sophon_llm.model to one",
            field="llm.sophon_llm.model",
        )
    if not model.is_file():
        raise SettingsError(
            f"{model} is no file; set llm.sophon_llm.model to a bmodel",
            field="llm.sophon_llm.model",
        )
    return model


def _own_io(chip: Chip, placement: Placement) -> bool:
    """Whether to work in the memory that the runtime keeps for the nets.

    It saves copying every cache for every token, and dynamic history nets need it. But
    launches go to the chip's first cores then, so not for a place on later ones.
    """
    if "own_io" not in chip.abilities:
        log.warning("this version of sail has no EngineLLM: caches are copied for every token")
        return False
    first = sorted(placement.cores) == list(range(len(placement.cores)))
    if not first:
        log.warning(
            "caches are copied for every token, and dynamic history nets are not used: only the "
            "chip's first cores can do better; see devices.llm.cores"
        )
    return first


def _check_vocabulary(layout: Layout, tokens: Tokens, tokenizer: Path) -> None:
    """A tokenizer of another model makes ids that the nets have no rows for."""
    if layout.vocabulary is not None and tokens.size > layout.vocabulary:
        raise EngineError(
            f"{layout.file}: lm_head knows {layout.vocabulary} tokens, but {tokenizer} has "
            f"{tokens.size}: it is another model's; set llm.sophon_llm.tokenizer to this one's"
        )

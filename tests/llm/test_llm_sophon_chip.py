"""The sophon-llm engine on real bmodels, on the vendor's simulator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voicemesh.errors import EngineError, SettingsError, Unavailable
from voicemesh_llm.engines.engine import (
    Finish,
    Sampling,
)
from voicemesh_llm.engines.sophon_llm.engine import SophonModel
from voicemesh_llm.engines.sophon_llm.feeding import Kind, PromptPiece
from voicemesh_llm.engines.sophon_llm.heads import LogitsHead, SampleNet
from voicemesh_llm.engines.sophon_llm.sampling import SamplingRule, candidates, penalised
from voicemesh_llm.engines.sophon_llm.self_test import cosine
from voicemesh_llm.engines.sophon_llm.written import Written
from voicemesh_sophon.chip_owner.wire import WATCH
from voicemesh_sophon.client import Chip, from_bfloat16, to_bfloat16
from voicemesh_sophon.client.owner_link import OwnerLink
from voicemesh_sophon.devices import DevicesSettings
from voicemesh_sophon.owner_process import OwnerProcess

from .sophon_talking import ASSETS, SYSTEM, TALKS, Talker, prompt, settings, spoken, talking

FUSED = "bm1688/tiny-assistant_f16_seq256_2core_static"
JOINED = "bm1688/tiny-assistant_w4bf16_seq512_2core_history"
JOINT = "bm1688/tiny-assistant_w4bf16_seq512_2core_kv"
SHORT_JOINT = "bm1688/tiny-assistant_bf16_seq256_1core_kv32"
SAMPLE = "bm1688/tiny-assistant_bf16_seq256_1core_static_sample"
FOREIGN = "bm1684x/tiny-assistant_f16_seq256_static"
PENALTY = "bm1684x/tiny-assistant_f16_seq256_2024style"


@pytest.fixture(scope="module")
def joined(chip_owner: Any) -> Iterator[Talker]:
    """With history nets, greedy and sampling head, two cores; pieces of 16 tokens."""
    with talking(chip_owner("bm1688"), JOINED, piece_tokens=16, steps_up_to_tokens=1) as talker:
        yield talker


@pytest.fixture
def history(joined: Talker) -> Talker:
    joined.forget()
    return joined


# Answers


@pytest.mark.parametrize("name", ["q14", "more3"])
def test_history_nets_give_the_expected_answers(history: Talker, name: str) -> None:
    assert history.equipment.network.reach.history
    history.hold(name)


def test_a_second_turn_reuses_the_first_and_takes_fewer_launches(history: Talker) -> None:
    first, second = history.hold("more3")
    assert first.cached_tokens == 0
    # All of the first turn is cached but its end mark, which was never fed.
    assert second.cached_tokens >= first.prompt_tokens + first.completion_tokens
    (question, answer), (more, _) = TALKS["more3"]
    history.forget()
    history.chip.launches = 0
    _, _, whole = history.ask(question, answer, more, max_output_tokens=1)
    without = history.chip.launches
    assert whole.cached_tokens == 0
    history.forget()
    history.ask(question)
    history.chip.launches = 0
    _, _, cached = history.ask(question, answer, more, max_output_tokens=1)
    assert cached == replace(whole, cached_tokens=second.cached_tokens)
    assert history.chip.launches < without


def test_conversations_keep_their_slots_and_the_oldest_makes_room(history: Talker) -> None:
    """Two slots: what was parked comes back, what was evicted is read again."""
    (name, hello), (ask, _) = TALKS["name_Alice"]
    assert history.ask(name, conversation_id="a")[0] == hello
    history.hold("name_zh")
    text, _, usage = history.ask(name, hello, ask, conversation_id="a")
    assert text == "Your name is Alice."
    assert usage.cached_tokens > 25
    history.hold("q12")  # Takes the slot of the Chinese conversation.
    (name_zh, hello_zh), (ask_zh, answer_zh) = TALKS["name_zh"]
    text, _, usage = history.ask(name_zh, hello_zh, ask_zh, conversation_id="name_zh")
    assert text == answer_zh
    assert 0 < usage.cached_tokens < 20  # The system prompt, from another slot.


def test_another_model_that_comes_and_goes_leaves_a_conversation_as_it_is(
    chip_owner: Any, history: Talker
) -> None:
    """The owner asks the model its fixed question then: a conversation must not notice."""
    owner = chip_owner("bm1688")
    (question, answer), (more, further) = TALKS["more3"]
    assert history.ask(question)[0] == answer
    right = owner_checks(owner)
    voice = Chip.open(owner.placement("tts", (0,)))
    voice.load(ASSETS.parent / "vits/bm1688/vits_chinese_128_bm1688_f16_1core.bmodel")
    assert owner_checks(owner) == right + 1
    history.hold("q12")
    voice.close()
    text, _, usage = history.ask(question, answer, more)
    assert text == further
    assert usage.cached_tokens > 25


def owner_checks(owner: OwnerProcess) -> int:
    """How many answers to fixed questions were right so far."""
    link = OwnerLink(owner.placement(WATCH))
    try:
        right: int = link.ask({"op": "news"})["checks"]["right"]
        return right
    finally:
        link.close()


def test_a_reply_that_is_broken_off_leaves_a_cache_that_works(history: Talker) -> None:
    story = TALKS["q07"][0][0]
    reply = history.writer.generate(prompt(story), lambda: False)
    interrupted = spoken([next(reply) for _ in range(5)])
    del reply
    question, answer = TALKS["q03"][0]
    text, _, usage = history.ask(story, interrupted, question)
    assert text == answer
    assert usage.cached_tokens > 25


def test_a_long_prompt_can_be_stopped_between_layers(history: Talker) -> None:
    question, answer = TALKS["q03"][0]
    asked = iter([False, False, True])  # Two layers of the first piece; not the second piece.
    history.chip.launches = 0
    assert list(history.writer.generate(prompt(question), lambda: next(asked))) == []
    assert history.chip.launches == 3  # The embedding and two layers.
    text, _, usage = history.ask(question)
    assert text == answer
    assert usage.cached_tokens == 16


def test_pieces_and_steps_agree_up_to_the_end_of_the_cache(history: Talker) -> None:
    """At 400 of 512 tokens the largest piece would reach beyond the cache."""
    network = history.equipment.network
    ids = [40 + i % 500 for i in range(412)]
    network.activate(0, 0, 0)
    for start, end in ((0, 128), (128, 256), (256, 384), (384, 400)):
        kind = Kind.HISTORY if start else Kind.WHOLE
        network.feed(PromptPiece(kind, start, end), ids, lambda: False)
    states = []
    for kind in (Kind.HISTORY, Kind.STEP):
        network.feed(PromptPiece(kind, 400, 412), ids, lambda: False)
        states.append(network.last_state())
    assert cosine(*states) > 0.999


def test_lengths_and_stop_strings_end_a_reply(history: Talker) -> None:
    question, answer = TALKS["q03"][0]
    text, finished, usage = history.ask(question, max_output_tokens=3)
    assert answer.startswith(text)
    assert (finished.reason, usage.completion_tokens) == (Finish.LENGTH, 3)
    text, finished, usage = history.ask(question, stop=("France",))
    assert (text, finished.reason) == ("The capital of ", Finish.STOP)
    assert usage.prompt_tokens == 27


def test_a_seed_makes_a_warm_reply_repeatable(history: Talker) -> None:
    def say(seed: int) -> str:
        history.forget()
        wanted = Sampling(temperature=2.0, seed=seed)
        return history.ask("Bread?", sampling=wanted, max_output_tokens=4)[0]

    assert say(1) == say(1) != say(2)


@pytest.fixture(scope="module")
def joint(chip_owner: Any) -> Iterator[Talker]:
    """Static nets that read the history in ``block_i``, all 512 tokens of it; pieces of 32."""
    with talking(chip_owner("bm1688"), JOINT, steps_up_to_tokens=1) as talker:
        yield talker


def test_nets_with_a_history_of_their_own_agree_with_steps_at_the_end_of_the_cache(
    joint: Talker,
) -> None:
    """At 490 of 512 tokens the rows of a launch reach beyond the cache."""
    network = joint.equipment.network
    assert network.reach.history == 512
    ids = [40 + i % 500 for i in range(502)]
    network.activate(0, 0, 0)
    for start in (0, 32, 458):  # What lies between is zero, for both.
        kind = Kind.HISTORY if start else Kind.WHOLE
        network.feed(PromptPiece(kind, start, start + 32), ids, lambda: False)
    states = []
    for kind in (Kind.HISTORY, Kind.STEP):
        network.feed(PromptPiece(kind, 490, 502), ids, lambda: False)
        states.append(network.last_state())
    assert cosine(*states) > 0.999
    joint.forget()
    joint.hold("more3")


@pytest.fixture(scope="module")
def short_joint(chip_owner: Any) -> Iterator[Talker]:
    """The same for one core, with a history of 32 tokens in a cache of 256."""
    with talking(chip_owner("bm1688"), SHORT_JOINT, steps_up_to_tokens=1) as talker:
        yield talker


def test_a_conversation_outgrows_the_history_of_its_nets(short_joint: Talker) -> None:
    reach = short_joint.equipment.network.reach
    *_, last = short_joint.hold("mixed")
    assert last.prompt_tokens > reach.history + reach.piece
    # The whole of it anew: pieces as far as they go, then steps.
    short_joint.forget()
    turns = [text for turn in TALKS["mixed"] for text in turn]
    text, _, usage = short_joint.ask(*turns[:-1])
    assert (text, usage.cached_tokens) == (turns[-1], 0)


@pytest.fixture(scope="module")
def tiny_static(chip_owner: Any) -> Iterator[Talker]:
    """Two cores, fused greedy head, masks from outside."""
    with talking(chip_owner("bm1688"), FUSED, steps_up_to_tokens=40) as talker:
        yield talker


def test_static_nets_on_two_cores_give_the_expected_answers(tiny_static: Talker) -> None:
    tiny_static.forget()
    assert tiny_static.equipment.heads.only_greedy
    first, second = tiny_static.hold("name_Bob")
    assert first.cached_tokens == 0
    assert second.cached_tokens >= first.prompt_tokens + first.completion_tokens


def test_the_oldest_exchanges_make_room_in_a_short_sequence(tiny_static: Talker) -> None:
    tiny_static.forget()
    story = TALKS["q07"][0]
    turns = [*story, *story, *story, "我叫小明。"]
    text, finished, usage = tiny_static.ask(*turns, max_output_tokens=4)
    assert text
    assert finished.dropped_messages in (2, 4, 6)
    assert usage.prompt_tokens <= 252  # 256 with the reply.


def test_a_prompt_can_go_in_by_steps_from_its_first_token_on(chip_owner: Any) -> None:
    with talking(chip_owner("bm1688"), FUSED, slots=1) as talker:
        pace = talker.equipment.pace
        assert pace.step_s > 0
        assert pace.piece_s[Kind.WHOLE] > 0  # Both were measured at load.
        pace.piece_s[Kind.WHOLE] = 1000.0
        talker.chip.launches = 0
        (usage,) = talker.hold("q12")
        layout = talker.equipment.network.layout
        a_token = 1 + layout.layers + 1
        # The first of the reply comes from the prompt's last token, whose step has no head.
        tokens = usage.prompt_tokens + usage.completion_tokens
        assert talker.chip.launches == tokens * (a_token - 1) + usage.completion_tokens + 1


def test_what_was_read_ahead_is_found_by_the_first_question(history: Talker) -> None:
    history.writer.read_ahead("You see nothing.", lambda: False)
    history.writer.read_ahead(SYSTEM, lambda: False)
    history.writer.read_ahead("There is no slot for this.", lambda: False)
    (question, answer), *_ = TALKS["q03"]
    text, _, usage = history.ask(question)
    assert text == answer
    assert usage.cached_tokens >= 15
    text, _, usage = history.ask(TALKS["q12"][0][0], conversation_id="another")
    assert text == TALKS["q12"][0][1]
    assert usage.cached_tokens >= 15


@pytest.fixture(scope="module")
def one_core(chip_owner: Any) -> Iterator[Talker]:
    """One core, bfloat16, sampling head."""
    with talking(chip_owner("bm1688"), SAMPLE, sampler="chip", steps_up_to_tokens=40) as talker:
        yield talker


def test_one_core_and_its_greedy_head_give_the_expected_answer(one_core: Talker) -> None:
    one_core.forget()
    one_core.hold("q12")


def check_sample_head(talker: Talker) -> None:
    """The head's candidates are those that the host finds in the same logits."""
    equipment = talker.equipment
    network, layout = equipment.network, equipment.network.layout
    assert layout.sample_head is not None
    ids = equipment.prompts.encode("<|im_start|>user\nTell me something.", Written())
    network.activate(0, 0, 0)
    network.feed(PromptPiece(Kind.WHOLE, 0, len(ids)), ids, lambda: False)
    head = LogitsHead(talker.chip, layout, equipment.tokens.size, network.last)
    sample = SampleNet(talker.chip, head, layout.sample_head)
    logits = head.logits(talker.chip.run([head.start()]))
    for rule in (
        SamplingRule(2.5, top_p=0.9, top_k=20, repetition_penalty=1.3),
        SamplingRule(0.5, min_p=0.1, repetition_penalty=1.2),
    ):
        assert sample.can(rule)
        results = talker.chip.run([sample.start(rule, ids)])
        found, shares = sample.candidates(results, rule)
        scored = penalised(logits, ids, rule.repetition_penalty)
        expected, expected_shares = candidates(scored, replace(rule, top_k=rule.top_k or 50))
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_allclose(shares, expected_shares, atol=2e-3)
    assert not sample.can(SamplingRule(1.0, top_k=51))


def test_the_sampling_head_draws_from_what_the_host_would(one_core: Talker) -> None:
    check_sample_head(one_core)
    one_core.forget()
    warm = Sampling(temperature=0.2, seed=3)
    assert one_core.ask(TALKS["q03"][0][0], sampling=warm)[0] == TALKS["q03"][0][1]


# Other versions, broken files, lost chips


def test_a_sail_without_views_and_engine_llm_gives_the_same(chip_owner: Any) -> None:
    with talking(chip_owner("bm1688"), JOINED, old_sail=True, steps_up_to_tokens=40) as talker:
        assert not talker.equipment.network.reach.history
        first, second = talker.hold("name_zh")
        assert second.cached_tokens >= first.prompt_tokens
        talker.hold("q12")


def test_static_nets_need_no_engine_llm_for_their_history(chip_owner: Any) -> None:
    with talking(chip_owner("bm1688"), JOINT, old_sail=True, steps_up_to_tokens=1) as talker:
        assert talker.equipment.network.reach.history == 512
        talker.hold("name_zh")


def test_weights_in_the_wrong_format_are_refused_at_load(history: Talker, tmp_path: Path) -> None:
    """The embedding table as float16 in a file that says bfloat16, as converters let pass."""
    rows = [history.equipment.network.embedded([id])[0] for id in (40, 41)]
    content = (ASSETS / f"{JOINED}.bmodel").read_bytes()
    size = history.equipment.tokens.size * len(rows[0]) * 2
    begin = content.index(to_bfloat16(np.stack(rows)).tobytes()) - 40 * len(rows[0]) * 2
    table = from_bfloat16(np.frombuffer(content[begin : begin + size], np.uint16))
    spoilt = tmp_path / "spoilt.bmodel"
    spoilt.write_bytes(
        content[:begin] + table.astype(np.float16).tobytes() + content[begin + size :]
    )
    # An owner of its own: the runtime takes weights of the same name as loaded already.
    devices = DevicesSettings(backend="cmodel", socket_folder=tmp_path)
    with (
        OwnerProcess(devices) as owner,
        pytest.raises(EngineError, match=r"spoilt\.bmodel: the weights are unusable.*convert"),
        talking(owner, JOINED, model=spoilt, self_test=True),
    ):
        pass


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": ASSETS / f"{FOREIGN}.bmodel"}, "(?i)bm1684x.*bm1688"),
        ({"model": Path("/nowhere.bmodel")}, r"nowhere\.bmodel is no file"),
        ({"tokenizer": "/nowhere"}, r"tokenizer\.json"),
        ({"temperature": 0.5, "model": ASSETS / f"{FUSED}.bmodel"}, "likeliest token alone"),
    ],
)
def test_wrong_settings_are_told_with_the_cure(
    chip_owner: Any, fields: dict[str, Any], message: str
) -> None:
    with (
        pytest.raises((EngineError, SettingsError), match=message),
        talking(chip_owner("bm1688"), JOINED, **fields),
    ):
        pass


async def test_a_lost_owner_is_told_and_a_new_engine_answers(tmp_path: Path) -> None:
    question, answer = TALKS["q12"][0]
    devices = DevicesSettings(backend="cmodel", socket_folder=tmp_path)

    async def answered(model: SophonModel) -> str:
        return spoken([event async for event in model.generate(prompt(question))])

    for last in (False, True):
        with OwnerProcess(devices) as owner:
            model = SophonModel(settings(JOINED), owner.placement("llm"))
            await model.load()
            assert await answered(model) == answer
            if not last:
                owner.kill()
                with pytest.raises(Unavailable):
                    await answered(model)
            under_way = model.generate(prompt(question))
            if last:
                await anext(under_way)
            await model.close()
            with pytest.raises(Unavailable):
                await anext(under_way)
            with pytest.raises(Unavailable):
                await answered(model)


@pytest.mark.long
def test_the_penalty_head_of_2024_draws_from_what_the_host_would(tmp_path: Path) -> None:
    devices = DevicesSettings(backend="cmodel", simulated_chip="bm1684x", socket_folder=tmp_path)
    with OwnerProcess(devices) as owner, talking(owner, PENALTY) as talker:
        check_sample_head(talker)

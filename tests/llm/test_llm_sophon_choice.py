"""How the sophon-llm engine chooses tokens, slots and launches; no chip is needed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemesh.errors import EngineError, SettingsError, Unsupported
from voicemesh_llm.engines.engine import Sampling
from voicemesh_llm.engines.sophon_llm.feeding import Kind, Pace, PromptPiece, Reach, plan
from voicemesh_llm.engines.sophon_llm.layout import Layout, read_layout
from voicemesh_llm.engines.sophon_llm.masks import StepMask, joint_mask, padded, prefill_mask
from voicemesh_llm.engines.sophon_llm.prefix_cache import PrefixCache, PrefixMatch, common_prefix
from voicemesh_llm.engines.sophon_llm.priority_lock import PriorityLock
from voicemesh_llm.engines.sophon_llm.rules import SamplingRules
from voicemesh_llm.engines.sophon_llm.sampling import Sampler, SamplingRule, candidates, penalised
from voicemesh_llm.engines.sophon_llm.settings import SophonLLMSettings
from voicemesh_sophon.client import from_bfloat16

ASSETS = Path(__file__).parents[1] / "sophon/assets/llm"
LOGITS = np.array([2.0, 1.0, 0.0, -1.0, 1.5], np.float32)


# Sampling


def test_without_temperature_the_likeliest_token_is_taken() -> None:
    assert Sampler(SamplingRule()).choose(LOGITS, []) == 0
    repeated = SamplingRule(repetition_penalty=2.0)
    assert Sampler(repeated).choose(LOGITS, [0, 0, 99]) == 4


def test_the_penalty_strikes_each_recent_token_once_and_always_downwards() -> None:
    changed = penalised(LOGITS, [0, 0, 3], 2.0)
    np.testing.assert_allclose(changed, [1.0, 1.0, 0.0, -2.0, 1.5])
    np.testing.assert_allclose(LOGITS[0], 2.0)
    assert penalised(LOGITS, [0], 1.0) is LOGITS


def softmax(logits: Any, temperature: float = 1.0) -> Any:
    shares = np.exp(np.asarray(logits, np.float64) / temperature)
    return shares / shares.sum()


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (SamplingRule(temperature=1.0), [0, 4, 1, 2, 3]),
        (SamplingRule(temperature=1.0, top_k=2), [0, 4]),
        (SamplingRule(temperature=1.0, top_k=9), [0, 4, 1, 2, 3]),
        (SamplingRule(temperature=1.0, top_p=0.5), [0, 4]),
        (SamplingRule(temperature=1.0, top_p=0.0), [0]),
        (SamplingRule(temperature=1.0, min_p=0.2), [0, 4, 1]),
        (SamplingRule(temperature=0.1, top_p=0.99), [0]),
        (SamplingRule(temperature=1.0, top_k=3, top_p=0.9), [0, 4, 1]),
    ],
)
def test_top_k_top_p_and_min_p_keep_the_likeliest(rule: SamplingRule, kept: list[int]) -> None:
    ids, shares = candidates(LOGITS, rule)
    assert ids.tolist() == kept
    np.testing.assert_allclose(shares, softmax(LOGITS[kept], rule.temperature))


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    sampler = Sampler(SamplingRule(temperature=0.7, top_k=4), seed=7)
    drawn = np.bincount([sampler.choose(LOGITS, []) for _ in range(4000)], minlength=5) / 4000
    expected = softmax(np.where(LOGITS > -1, LOGITS, -np.inf), 0.7)
    # Four standard deviations of a share of one half over 4000 draws.
    np.testing.assert_allclose(drawn, expected, atol=4 * 0.5 / np.sqrt(4000))


@pytest.mark.parametrize("seed", [0, -1, 2**63 - 1])
def test_a_seed_makes_draws_repeatable(seed: int) -> None:
    rule = SamplingRule(temperature=1.5)

    def draw(seed: int | None) -> list[int]:
        sampler = Sampler(rule, seed)
        return [sampler.choose(LOGITS, []) for _ in range(40)]

    assert draw(seed) == draw(seed) != draw(seed + 1 if seed < 1 else 5)


@given(
    st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=60),
    st.floats(0.05, 2),
    st.floats(0, 1),
    st.integers(0, 70),
    st.floats(0, 1),
)
def test_candidates_are_a_distribution_led_by_the_likeliest(
    logits: list[float], temperature: float, top_p: float, top_k: int, min_p: float
) -> None:
    scores = np.array(logits, np.float32)
    ids, shares = candidates(scores, SamplingRule(temperature, top_p, top_k, min_p))
    assert scores[ids[0]] == scores.max()
    assert (np.diff(scores[ids]) <= 0).all()
    assert len(set(ids.tolist())) == len(ids) <= (top_k or len(logits))
    assert shares.sum() == pytest.approx(1)


def test_rules_come_from_settings_then_advice_and_a_request_wins() -> None:
    advice = {"temperature": 0.6, "top_k": 20.0}
    rules = SamplingRules(SophonLLMSettings(top_k=5), advice, only_greedy=False)
    assert rules.default == SamplingRule(temperature=0.6, top_k=5)
    rule = rules.rule(Sampling(temperature=0.0, top_p=0.5, repetition_penalty=1.5))
    assert rule == SamplingRule(0.0, top_p=0.5, top_k=5, repetition_penalty=1.5)


def test_a_fused_head_refuses_what_it_cannot() -> None:
    rules = SamplingRules(SophonLLMSettings(), {"temperature": 0.6}, only_greedy=True)
    assert rules.rule(Sampling(top_p=0.5, top_k=3, seed=1)).greedy
    for wanted in (Sampling(temperature=0.5), Sampling(repetition_penalty=1.1)):
        with pytest.raises(Unsupported, match="--do_sample") as raised:
            rules.rule(wanted)
        assert raised.value.field.startswith("generation.sampling.")
    with pytest.raises(SettingsError, match=r"likeliest token alone"):
        SamplingRules(SophonLLMSettings(temperature=0.5), {}, only_greedy=True)


# Prefix cache


def test_a_conversation_finds_its_own_slot_again() -> None:
    cache = PrefixCache(2)
    first = cache.lease("a", [1, 2, 3])
    assert (first.matched, first.match, first.evicted) == (0, PrefixMatch.NONE, False)
    first.slot.ids[:] = [1, 2, 3, 7, 8]  # The prompt and its reply.
    cache.lease("b", [5]).slot.ids[:] = [5]
    again = cache.lease("a", [1, 2, 3, 7, 9, 9])
    assert again.slot is first.slot is again.source
    assert (again.matched, again.match, again.evicted) == (4, PrefixMatch.CONVERSATION, False)
    assert cache.in_use == 2


def test_the_slot_that_was_idle_longest_goes_to_a_new_conversation() -> None:
    cache = PrefixCache(2)
    a = cache.lease("a", [1]).slot
    a.ids[:] = [1]
    b = cache.lease("b", [2]).slot
    b.ids[:] = [2]
    cache.lease("a", [1])
    taken = cache.lease("c", [3])
    assert taken.slot is b
    assert taken.evicted
    assert cache.known("b") is None
    assert cache.known("c") is b


def test_a_shared_beginning_is_taken_from_another_slot() -> None:
    cache = PrefixCache(3)
    a = cache.lease("a", [1, 2, 3]).slot
    a.ids[:] = [1, 2, 3]
    lease = cache.lease("b", [1, 2, 9])
    assert lease.slot is not a
    assert (lease.source, lease.matched, lease.match) == (a, 2, PrefixMatch.OTHER)
    lease.slot.ids[:] = [1, 2, 9]
    # Equal finds elsewhere do not draw a conversation out of its own slot.
    assert cache.lease("b", [1, 2]).source is lease.slot


def test_requests_without_a_conversation_do_not_share_a_slot_by_name() -> None:
    cache = PrefixCache(2)
    first = cache.lease("", [1]).slot
    first.ids[:] = [1]
    assert cache.lease("", [2]).slot is not first


def test_what_was_read_ahead_makes_room_first_and_is_nobodys_loss() -> None:
    cache = PrefixCache(2)
    ahead = cache.unused()
    assert ahead is cache.slots[0]
    ahead.ids[:] = [1, 2, 3]
    assert cache.unused() is cache.slots[1]
    cache.slots[1].ids[:] = [1, 5]
    assert cache.unused() is None
    first = cache.lease("a", [1, 5, 9])
    assert (first.slot, first.source, first.matched) == (ahead, cache.slots[1], 2)
    assert (first.match, first.evicted) == (PrefixMatch.OTHER, False)


@given(st.lists(st.integers(0, 2), max_size=8), st.lists(st.integers(0, 2), max_size=8))
def test_the_common_prefix_is_the_longest_one(first: list[int], second: list[int]) -> None:
    n = common_prefix(first, second)
    assert first[:n] == second[:n]
    assert n == min(len(first), len(second)) or first[n] != second[n]


# Feeding


STATIC = Reach(piece=256, history=0, proportional=False)
HISTORY = Reach(piece=32, history=512, proportional=True)
SHORT_HISTORY = Reach(piece=32, history=64, proportional=False)


def kinds(pieces: list[PromptPiece]) -> list[tuple[str, int, int]]:
    return [(piece.kind.value, piece.start, piece.end) for piece in pieces]


def test_a_new_prompt_is_read_whole_and_then_in_pieces() -> None:
    assert kinds(plan(70, 0, HISTORY, Pace())) == [
        ("whole", 0, 32),
        ("history", 32, 64),
        ("history", 64, 70),
    ]
    assert kinds(plan(70, 0, STATIC, Pace())) == [("whole", 0, 70)]


def test_what_is_cached_is_not_read_again() -> None:
    assert kinds(plan(70, 40, HISTORY, Pace())) == [("history", 40, 70)]
    assert kinds(plan(70, 60, STATIC, Pace())) == [("step", 60, 70)]
    # One token is always fed, for the logits behind it.
    assert kinds(plan(70, 70, STATIC, Pace())) == [("step", 69, 70)]
    assert kinds(plan(70, 70, HISTORY, Pace())) == [("step", 69, 70)]


def test_a_prefill_goes_as_far_as_its_history_and_steps_go_on() -> None:
    ahead = [("whole", 0, 32), ("history", 32, 64), ("history", 64, 96)]
    assert kinds(plan(96, 0, SHORT_HISTORY, Pace())) == ahead
    assert kinds(plan(150, 0, SHORT_HISTORY, Pace())) == [*ahead, ("step", 96, 150)]
    # It reads cached tokens again to come to new ones, unless it would end before them.
    assert kinds(plan(150, 70, SHORT_HISTORY, Pace())) == [("history", 64, 96), ("step", 96, 150)]
    assert kinds(plan(150, 96, SHORT_HISTORY, Pace())) == [("step", 96, 150)]
    # Of a static net it costs as much for one token as for all.
    assert kinds(plan(60, 50, SHORT_HISTORY, Pace())) == [("step", 50, 60)]


def test_without_usable_history_nets_a_long_prompt_goes_on_by_steps() -> None:
    reach = Reach(piece=32, history=0, proportional=True)
    assert kinds(plan(40, 0, reach, Pace())) == [("whole", 0, 32), ("step", 32, 40)]
    assert kinds(plan(90, 40, reach, Pace())) == [("step", 40, 90)]


def test_the_faster_way_is_taken_as_measured() -> None:
    pace = Pace()
    pace.took(PromptPiece(Kind.STEP, 5, 6), False, 0.1)
    pace.took(PromptPiece(Kind.WHOLE, 0, 200), False, 1.0)
    assert kinds(plan(70, 61, STATIC, pace)) == [("step", 61, 70)]
    assert kinds(plan(70, 50, STATIC, pace)) == [("whole", 0, 70)]
    # A prefill with history costs at least what a step costs.
    quick = Pace()
    quick.took(PromptPiece(Kind.STEP, 5, 6), False, 0.1)
    quick.took(PromptPiece(Kind.WHOLE, 0, 32), True, 0.032)
    assert kinds(plan(50, 49, HISTORY, quick))[0][0] == "step"
    assert kinds(plan(50, 40, HISTORY, quick)) == [("history", 40, 50)]


def test_a_short_prompt_goes_in_by_steps_where_that_is_faster_as_measured() -> None:
    """MiniCPM-2B on a BM1688: 512 tokens in 1.2 s, a step in 77 ms."""
    pace = Pace()
    pace.took(PromptPiece(Kind.STEP, 5, 6), False, 0.077)
    assert kinds(plan(2, 0, STATIC, pace)) == [("whole", 0, 2)]  # Not all is known.
    pace.took(PromptPiece(Kind.WHOLE, 0, 200), False, 1.2)
    assert kinds(plan(15, 0, STATIC, pace)) == [("step", 0, 15)]
    assert kinds(plan(16, 0, STATIC, pace)) == [("whole", 0, 16)]
    assert kinds(plan(15, 0, STATIC, pace, steps_up_to=20)) == [("whole", 0, 15)]


def test_the_setting_decides_where_it_is_set() -> None:
    assert kinds(plan(70, 60, STATIC, Pace(), steps_up_to=9)) == [("whole", 0, 70)]
    assert kinds(plan(70, 61, STATIC, Pace(), steps_up_to=9)) == [("step", 61, 70)]
    assert kinds(plan(70, 69, HISTORY, Pace(), steps_up_to=0)) == [("history", 69, 70)]


@given(st.integers(1, 300), st.integers(0, 300), st.integers(1, 64), st.integers(0, 512))
def test_every_token_is_fed_once_and_in_order(
    prompt: int, matched: int, piece: int, history: int
) -> None:
    reach = Reach(piece, history, True)
    pieces = plan(prompt, min(matched, prompt), reach, Pace())
    assert all(p.start <= history for p in pieces if p.kind is not Kind.STEP)
    assert pieces[0].start <= min(matched, prompt - 1)
    assert pieces[-1].end == prompt
    assert all(a.end == b.start for a, b in zip(pieces, pieces[1:], strict=False))
    assert all(p.start < p.end for p in pieces)
    assert (pieces[0].kind is Kind.WHOLE) == (pieces[0].start == 0)


# Nets


def nets(name: str) -> dict[str, Any]:
    """The nets as the vendor's runtime describes those of a model of the assets."""
    described = json.loads((ASSETS / f"{name}.bmodel.nets.json").read_text())["nets"]

    def slot(entry: dict[str, Any]) -> SimpleNamespace:
        stages = tuple(map(tuple, entry["shapes"]))
        return SimpleNamespace(
            name=entry["name"], dtype=entry["dtype"], stages=stages, shape=max(stages)
        )

    return {
        net["name"]: SimpleNamespace(
            name=net["name"],
            dynamic=net["dynamic"],
            inputs=tuple(map(slot, net["inputs"])),
            outputs=tuple(map(slot, net["outputs"])),
        )
        for net in described
    }


SAMPLE = "bm1688/tiny-assistant_bf16_seq256_1core_static_sample"
FUSED = "bm1688/tiny-assistant_f16_seq256_2core_static"
JOINED = "bm1688/tiny-assistant_w4bf16_seq512_2core_history"
OLD = "bm1684x/tiny-assistant_f16_seq256_2024style"
JOINT = "bm1684x/tiny-assistant_w4f16_seq512_kv"
SHORT_JOINT = "bm1688/tiny-assistant_bf16_seq256_1core_kv32"


def layout(name: str) -> Layout:
    return read_layout(nets(name), f"{name}.bmodel")


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        (SAMPLE, (2, "bfloat16", 256, 256, False, (256,), False, False, "sample_head", 255)),
        (FUSED, (2, "float16", 256, 256, False, (256,), True, False, None, 255)),
        (JOINED, (2, "bfloat16", 512, 128, True, (128, 256, 512), False, True, "sample_head", 511)),
        (
            OLD,
            (2, "float16", 256, 256, False, (256,), False, False, "penalty_sample_head", 255),
        ),
    ],
)
def test_all_is_read_from_the_nets(name: str, sizes: tuple[Any, ...]) -> None:
    found = layout(name)
    sample = found.sample_head.name if found.sample_head else None
    told = (
        found.layers,
        found.dtype,
        found.sequence,
        found.piece,
        found.dynamic,
        found.step_lengths,
        found.fused_greedy,
        bool(found.history),
        sample,
        found.longest_prompt,
    )
    assert told == sizes
    assert (found.hidden, found.kv_heads, found.head_size, found.row) == (128, 2, 32, 64)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        (FUSED, (256, 0, False, False, False)),
        (JOINED, (128, 512, True, False, True)),
        (JOINT, (32, 512, False, True, False)),
        (SHORT_JOINT, (16, 32, False, True, False)),
    ],
)
def test_what_a_prefill_may_follow_is_read_from_the_nets(name: str, sizes: tuple[Any, ...]) -> None:
    found = layout(name)
    told = (found.piece, found.history_rows, found.dynamic, found.joint, found.joins_in_place)
    assert told == sizes


def test_dynamic_nets_with_a_history_in_block_i_are_launched_in_full_all_the_same() -> None:
    described = nets(JOINT)
    for name in ("block_0", "block_1"):
        described[name].dynamic = True
    found = read_layout(described, "x.bmodel")
    assert (found.joint, found.joins_in_place, found.dynamic) == (True, True, False)


def test_the_shortest_step_that_holds_the_cache_is_taken() -> None:
    lengths = [layout(JOINED).step_length(n) for n in (0, 128, 129, 256, 257, 511)]
    assert lengths == [128, 128, 256, 256, 512, 512]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: n.pop("lm_head"), "lm_head is missing"),
        (lambda n: n.pop("block_0"), "lacks block_0"),
        (lambda n: n.pop("block_1"), "block_1 is missing, though the model has 2 layers"),
        (lambda n: n.pop("embedding"), "embedding is missing"),
        (lambda n: n.pop("embedding_cache"), "embedding_cache is missing"),
        (lambda n: n.update(block_kv_0=n["block_0"]), "block_kv_1 is missing"),
        (lambda n: setattr(n["block_0"], "inputs", n["block_0"].inputs * 2), "has 6 inputs"),
        (
            lambda n: setattr(n["block_cache_0"], "outputs", n["block_cache_0"].outputs[:1]),
            "keeps the cache itself",
        ),
    ],
)
def test_a_file_that_cannot_be_driven_is_refused_by_name(change: Any, message: str) -> None:
    broken = nets(FUSED)
    change(broken)
    with pytest.raises(EngineError, match=rf"x\.bmodel\b.*{message}.*; (convert|set llm)"):
        read_layout(broken, "x.bmodel")


# Masks


def test_masks_hide_what_comes_later_and_stay_finite() -> None:
    mask = prefill_mask(3, "float16")[0, 0]
    np.testing.assert_array_equal(mask == 0, np.tri(3, dtype=bool))
    assert mask.dtype == np.float16
    assert mask.min() == -10_000
    joined = prefill_mask(2, "float16", history=3)[0, 0]
    np.testing.assert_array_equal(joined == 0, [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])
    joint = joint_mask(1, 3, 2, 4, "bfloat16")[0, 0]
    assert joint.dtype == np.uint16
    np.testing.assert_array_equal(joint == 0, [[1, 0, 0, 1, 0, 0, 0], [1, 0, 0, 1, 1, 0, 0]])
    step = StepMask(4, "bfloat16")
    for cached in (2, 0, 3, 4, 1):  # In any order: a prompt begins anew.
        assert step.behind(cached).shape == (1, 1, 1, 5)
        expected = [*[0.0] * cached, *[-9984.0] * (4 - cached), 0.0]
        assert from_bfloat16(step.behind(cached)).reshape(-1).tolist() == expected
    np.testing.assert_array_equal(padded([4, 5], 4), [[4, 5, 0, 0]])


# Turns


async def test_who_waits_for_an_answer_goes_before_work_in_advance() -> None:
    lock, order = PriorityLock(), list[str]()
    release = asyncio.Event()

    async def work(name: str, background: bool) -> None:
        async with lock.hold(background):
            order.append(name)
            await release.wait()

    tasks = [asyncio.create_task(work("first", False))]
    await asyncio.sleep(0)
    for name, background in (("ahead", True), ("gone", False), ("person", False), ("next", False)):
        tasks.append(asyncio.create_task(work(name, background)))
        await asyncio.sleep(0)
    tasks.pop(2).cancel()
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(*tasks)
    assert order == ["first", "person", "next", "ahead"]


async def test_a_turn_that_comes_too_late_is_passed_on() -> None:
    lock = PriorityLock()
    entered = asyncio.Event()

    async def wait() -> None:
        async with lock.hold(False):
            entered.set()

    async with lock.hold(False):
        late, next_one = asyncio.create_task(wait()), asyncio.create_task(wait())
        await asyncio.sleep(0)
    late.cancel()  # Its turn has come, but it has not run since.
    with pytest.raises(asyncio.CancelledError):
        await late
    await next_one
    assert entered.is_set()
    async with asyncio.timeout(5), lock.hold(False):
        pass

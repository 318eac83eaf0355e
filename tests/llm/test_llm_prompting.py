from __future__ import annotations

from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemesh.errors import InvalidArgument
from voicemesh_llm.engines.engine import Message, Role, ToolCall
from voicemesh_llm.engines.prompt_notes import with_facts, with_interruption_note
from voicemesh_llm.prompting.history import bound_history, message_tokens
from voicemesh_llm.prompting.persona import with_persona
from voicemesh_llm.prompting.reset_phrases import ResetPhrases, confirmation
from voicemesh_llm.token_estimate import estimate_tokens


def message(role: Role, text: str) -> Message:
    return Message(role, (text,))


texts = st.text("ab 月", max_size=40)
conversations = st.builds(
    lambda head, middle, last: (*head, *middle, message(Role.USER, last)),
    st.lists(texts.map(lambda t: message(Role.SYSTEM, t)), max_size=2),
    st.lists(
        st.builds(message, st.sampled_from([Role.USER, Role.ASSISTANT, Role.TOOL]), texts),
        max_size=30,
    ),
    texts,
)


def begins_an_exchange(messages: tuple[Message, ...], index: int) -> bool:
    if messages[index].role is not Role.USER:
        return False
    return index == 0 or messages[index - 1].role is not Role.USER


def cost(messages: tuple[Message, ...]) -> int:
    return sum(message_tokens(m, estimate_tokens) for m in messages)


@given(conversations, st.integers(0, 12), st.integers(0, 300))
def test_history_stays_within_its_bounds_and_loses_only_whole_old_exchanges(
    messages: tuple[Message, ...], max_exchanges: int, budget: int
) -> None:
    head = list(takewhile(lambda m: m.role is Role.SYSTEM, messages))
    start = len(messages) - 1
    while start > len(head) and not begins_an_exchange(messages, start):
        start -= 1
    if cost((*head, *messages[start:])) > budget:
        with pytest.raises(InvalidArgument):
            bound_history(messages, max_exchanges, budget, estimate_tokens)
        return
    bounded = bound_history(messages, max_exchanges, budget, estimate_tokens)
    kept = bounded.messages
    assert cost(kept) <= budget
    assert kept[-1] == messages[-1]
    assert list(kept[: len(head)]) == head
    rest = kept[len(head) :]
    assert rest == messages[len(messages) - len(rest) :]
    assert bounded.dropped == len(messages) - len(kept)
    begins = [i for i in range(len(rest)) if begins_an_exchange(rest, i)]
    assert len(begins) <= max_exchanges + 1
    if bounded.dropped:
        assert begins[0] == 0
        assert messages[len(messages) - len(rest) - 1].role is not Role.USER


def test_at_most_so_many_former_exchanges_are_kept() -> None:
    history = [
        message(role, f"{role.value} {n}")
        for n in range(15)
        for role in (Role.USER, Role.ASSISTANT)
    ]
    bounded = bound_history([*history, message(Role.USER, "now")], 10, 10_000, estimate_tokens)
    assert bounded.dropped == 10
    assert bounded.messages[0].text == "user 5"


def test_the_answers_of_tools_stay_with_the_question_that_called_them() -> None:
    call = Message(Role.ASSISTANT, (), (ToolCall("1", "f", "{}"),))
    result = Message(Role.TOOL, ("42",), tool_call_id="1")
    old = [message(Role.USER, "old"), message(Role.ASSISTANT, "reply")]
    now = [message(Role.USER, "now"), call, result]
    bounded = bound_history([*old, *now], 0, 10_000, estimate_tokens)
    assert list(bounded.messages) == now


def test_an_over_long_question_is_refused_with_its_cure() -> None:
    with pytest.raises(InvalidArgument, match="max_prompt_tokens"):
        bound_history([message(Role.USER, "long " * 1000)], 10, 100, estimate_tokens)


def test_tokens_are_estimated_by_script() -> None:
    assert estimate_tokens("什么是人工智能？") == 8
    assert estimate_tokens("what is artificial intelligence") == 8
    assert estimate_tokens("") == 0


def test_a_persona_leads_where_the_request_brings_none() -> None:
    english = with_persona([message(Role.USER, "hello")], "", "EN", "ZH")
    assert [m.text for m in english] == ["EN", "hello"]
    chinese = with_persona([message(Role.USER, "你好")], "", "EN", "ZH")
    assert [m.text for m in chinese] == ["ZH", "你好"]
    own = (message(Role.SYSTEM, "mine"), message(Role.USER, "hello"))
    assert with_persona(own, "", "EN", "ZH") == own
    told = with_persona(own, "de", "EN", "ZH")
    assert "mine" in told[0].text
    assert "de" in told[0].text
    assert with_persona([message(Role.USER, "hi")], "zh-CN", "EN", "ZH")[0].text.startswith("ZH")


def test_an_interrupted_reply_is_marked_in_its_own_language() -> None:
    heard = Message(Role.ASSISTANT, ("The moon is",), interrupted=True)
    assert with_interruption_note(heard).text == "The moon is — (interrupted here)"
    chinese = Message(Role.ASSISTANT, ("月亮是",), interrupted=True)
    assert "打断" in with_interruption_note(chinese).text
    whole = message(Role.ASSISTANT, "Yes.")
    assert with_interruption_note(whole) is whole


def test_facts_stand_before_the_last_question_so_that_the_prefix_stays_the_same() -> None:
    history = (message(Role.SYSTEM, "s"), message(Role.USER, "a"), message(Role.USER, "b"))
    told = with_facts(history, {"battery": "80"})
    assert told[:2] == history[:2]
    assert told[2].text == "[robot reports: battery: 80]\nb"
    assert with_facts(history, {}) == history


@pytest.mark.parametrize(
    "said",
    ["start over", "Start over!", "please start over", "Okay, let's start over now please"]
    + ["重新开始", "重新开始吧", "请重新开始。", "我们重新开始吧"],
)
def test_reset_phrases_are_recognised_with_marks_and_courtesies(said: str) -> None:
    assert ResetPhrases(("start over", "重新开始")).match(said)


@pytest.mark.parametrize(
    "said",
    ["how do I start over the engine", "start", "over", "", "!", "怎么重新开始游戏", "开始"]
    + ["please", "start over there"],
)
def test_other_utterances_do_not_reset(said: str) -> None:
    assert not ResetPhrases(("start over", "重新开始")).match(said)


def test_the_confirmation_is_in_the_language_of_the_phrase() -> None:
    assert "重新开始" in confirmation("重新开始", "")
    assert "start over" in confirmation("start over", "")
    assert "重新开始" in confirmation("start over", "zh")

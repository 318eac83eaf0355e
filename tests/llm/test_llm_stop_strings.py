from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemesh.errors import Busy
from voicemesh_llm.delta_coalescing import DeltaCoalescer
from voicemesh_llm.reasoning import ReasoningFilter
from voicemesh_llm.stop_strings import StopStrings

letters = st.text("ab<", max_size=30)
cuts = st.lists(st.integers(0, 30), max_size=10)


def split(text: str, at: list[int]) -> list[str]:
    places = [0, *sorted(min(place, len(text)) for place in at), len(text)]
    return [text[i:j] for i, j in zip(places, places[1:], strict=False)]


def through(stops: list[str], pieces: list[str]) -> tuple[str, bool]:
    filtering = StopStrings(stops)
    said = "".join(filtering.process(piece) for piece in pieces)
    return said + filtering.finish(), filtering.met


@given(letters, st.lists(st.text("ab<", min_size=1, max_size=4), max_size=4), cuts)
def test_stop_strings_give_the_same_text_for_any_split(
    text: str, stops: list[str], at: list[int]
) -> None:
    whole = through(stops, [text])
    assert through(stops, split(text, at)) == whole
    assert through(stops, list(text)) == whole


@given(letters, st.lists(st.text("ab<", min_size=1, max_size=4), min_size=1, max_size=4), cuts)
def test_a_stop_string_never_leaks(text: str, stops: list[str], at: list[int]) -> None:
    said, met = through(stops, split(text, at))
    assert not any(stop in said for stop in stops)
    assert met == any(stop in text for stop in stops)
    assert text.startswith(said)
    assert met or said == text


def test_text_is_held_back_only_while_it_may_become_a_stop_string() -> None:
    stops = StopStrings(["\nUser:"])
    assert stops.process("Yes.\n") == "Yes."
    assert stops.process("Us") == ""
    assert stops.process("ually") == "\nUsually"
    assert stops.process("\nUser: hi") == ""
    assert stops.met
    assert stops.process("more") == ""


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<thi", "nk>", "a", "b ", "\n", "<"])), cuts
)
def test_reasoning_is_taken_out_alike_for_any_split(parts: list[str], at: list[int]) -> None:
    text = "".join(parts)

    def run(pieces: list[str]) -> str:
        visible = ReasoningFilter()
        return "".join(visible.process(p) for p in pieces) + visible.finish()

    assert run(split(text, at)) == run([text]) == run(list(text))


def test_only_what_stands_outside_of_reasoning_is_spoken() -> None:
    visible = ReasoningFilter()
    said = [visible.process(p) for p in ("<th", "ink>let me see", "</thin", "k>\n\n", "Four", ".")]
    assert "".join(said) == "Four."
    begun = ReasoningFilter(begins_in_thought=True)
    assert begun.process("hm, 2+2</think> Four.") == "Four."
    unclosed = ReasoningFilter()
    assert unclosed.process("<think>never ends") + unclosed.finish() == ""


async def test_the_first_delta_is_sent_at_once_and_clauses_are_joined() -> None:
    sent: list[str] = []
    text = DeltaCoalescer(sent.append, flush_s=60)
    for word in ("Well", ", ", "this ", "is ", "one", ". ", "And ", "more"):
        text.feed(word)
    assert sent == ["Well", ", ", "this is one. "]
    text.flush()
    assert sent[-1] == "And more"


async def test_words_do_not_wait_longer_than_the_flush_time() -> None:
    sent: asyncio.Queue[str] = asyncio.Queue()
    text = DeltaCoalescer(sent.put_nowait, flush_s=0.01)
    for word in ("One", " two", " three"):
        text.feed(word)
    assert await sent.get() == "One"
    assert await sent.get() == " two three"


async def test_a_client_that_does_not_read_is_noticed_after_a_timed_flush() -> None:
    flushed = asyncio.Event()

    def send(text: str) -> None:
        if text != "One":
            flushed.set()
            raise Busy("full")

    text = DeltaCoalescer(send, flush_s=0.001)
    text.feed("One")
    text.feed(" two")
    await flushed.wait()
    with pytest.raises(Busy):
        text.feed(" three")

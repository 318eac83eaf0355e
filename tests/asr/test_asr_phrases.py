"""Phrases that the recogniser is told to expect: of a stream, of the settings, of other rooms."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh import errors
from voicemesh.settings import load
from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.service import AsrService

from .speaker import ONE_WORKER, Speaker, utterance

Speech = Callable[..., NDArray[np.int16]]
Serving = Callable[..., AbstractAsyncContextManager[str]]
Recognizer = Callable[[str], AbstractAsyncContextManager[Any]]


async def test_phrases_of_the_settings_hold_for_every_stream(
    recognizer: Recognizer, serving: Serving, flite_speech: Speech, tmp_path: Any
) -> None:
    (tmp_path / "phrases.txt").write_text("how are you  # small talk\n\nwho are you\n", "utf-8")
    flags = {"asr.phrases": '["what time is it"]', "asr.phrase_file": tmp_path / "phrases.txt"}
    async with serving("asr", **ONE_WORKER, **flags) as target, recognizer(target) as stub:
        speaker = Speaker(stub, phrase_hints=[])
        await speaker.start()
        await speaker.audio(utterance(flite_speech("how are you", "rms")))
        assert (await speaker.until_end())[-1].transcript.text == "how are you"
        update = pb.TurnUpdate(phrase_hints=[pb.PhraseHint(phrase="tell me a joke")])
        await speaker.send(turn_update=update)
        await speaker.audio(utterance(flite_speech("tell me a joke", "rms")))
        assert (await speaker.until_end())[-1].transcript.text == "tell me a joke"


async def test_a_phrase_after_which_people_go_on_does_not_end_the_turn_sooner(
    recognizer: Recognizer, serving: Serving, flite_speech: Speech
) -> None:
    waits: dict[bool, int] = {}
    async with serving("asr", **ONE_WORKER) as target, recognizer(target) as stub:
        for may_go_on in (False, True):
            hint = pb.PhraseHint(phrase="the red balloon", may_go_on=may_go_on)
            speaker = Speaker(stub, phrase_hints=[hint])
            await speaker.start()
            await speaker.audio(utterance(flite_speech("the red balloon", "rms"), tail_s=1.5))
            end = (await speaker.until_end())[-1]
            assert end.transcript.text == "the red balloon"
            waits[may_go_on] = end.wait_ms
            await speaker.finish()
    assert waits[False] < waits[True]


async def test_phrases_that_other_rooms_announce_are_expected(
    recognizer: Recognizer, serving: Serving, flite_speech: Speech
) -> None:
    # After a number the recogniser alone waits longer: digits may follow.
    speech = utterance(flite_speech("what is twelve plus seven", "rms"), tail_s=2)
    async with serving("asr", **ONE_WORKER) as target, recognizer(target) as stub:
        speaker = Speaker(stub, phrase_hints=[])
        await speaker.start()
        await speaker.audio(speech)
        heard = (await speaker.until_end())[-1].transcript
        assert heard.text == "what is twelve plus seven"
    # Without them the recogniser's general model hears something else.
    alone = {"asr.expect_installed_phrases": False}
    async with serving("asr", **ONE_WORKER, **alone) as target, recognizer(target) as stub:
        speaker = Speaker(stub, phrase_hints=[])
        await speaker.start()
        await speaker.audio(speech)
        assert (await speaker.until_end())[-1].transcript.text != "what is twelve plus seven"


def test_an_unreadable_phrase_file_is_a_settings_error() -> None:
    settings = load(environ={}, flags={"asr.phrase_file": "/nowhere/phrases.txt"})
    with pytest.raises(errors.SettingsError, match="phrase file"):
        AsrService(settings)

"""What the user hears when a stage fails: clips made beforehand, for each language.

They need no service, because the one that is down may be the one that speaks.
``scripts/make_apologies`` makes them.
"""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from voicemesh.audio import StreamResampler
from voicemesh.errors import Busy, VoiceMeshError
from voicemesh.language_tags import primary_language
from voicemesh.v1 import common_pb2
from voicemesh.writing import has_han
from voicemesh_orchestrator.reply.outgoing import Outgoing
from voicemesh_orchestrator.reply.paced_sender import PacedSender

_TEXTS = {
    ("failed", "en"): "Sorry, please ask me again.",
    ("failed", "zh"): "抱歉，请再说一遍。",
    ("busy", "en"): "Sorry, I am busy right now. Please ask me again in a moment.",
    ("busy", "zh"): "抱歉，我现在有点忙，请稍后再问我。",
}
"""By what has happened and in which language; each has its clip. Short: whoever waits for
the end of a turn that failed has waited already."""

_CHUNK_S = 0.2
_BREATH_S = 0.2


@dataclass(frozen=True)
class Apology:
    """A spoken apology: its text and its samples (LINEAR16 at ``rate_hertz``)."""

    text: str
    audio: bytes
    rate_hertz: int


def apology_for(
    error: VoiceMeshError | None, language_codes: Sequence[str], question: str, rate_hertz: int
) -> Apology:
    """The apology for ``error``, in the conversation's language or else that of the question."""
    named = language_codes[0] if language_codes else ""
    reason = "busy" if isinstance(error, Busy) else "failed"
    return apology(reason, named or ("zh" if has_han(question) else "en"), rate_hertz)


@cache
def apology(reason: str, language_code: str, rate_hertz: int) -> Apology:
    """The apology in a language (English where there is none), at a rate.

    ``reason``: "busy" where asking again later helps, else "failed".
    """
    language = primary_language(language_code)
    if (reason, language) not in _TEXTS:
        language = "en"
    resource = files("voicemesh_orchestrator") / "clips" / f"{reason}_{language}.wav"
    with resource.open("rb") as opened, wave.open(opened) as clip:
        samples = np.frombuffer(clip.readframes(clip.getnframes()), dtype="<i2")
        resampler = StreamResampler(clip.getframerate(), rate_hertz)
    spoken = np.concatenate([resampler.process(samples), resampler.finish()])
    return Apology(_TEXTS[reason, language], spoken.astype("<i2").tobytes(), rate_hertz)


async def play_apology(
    clip: Apology,
    stamp: common_pb2.Stamp,
    first_char: int,
    sender: PacedSender | None,
    outgoing: Outgoing,
) -> None:
    """Send ``clip`` as the rest of the reply of ``stamp``, until it has been played.

    ``first_char``: where its text begins in the reply. ``sender``: what has sent the
    reply so far; None for clients that want text only.
    """
    end_char = first_char + len(clip.text)
    outgoing.send_text(stamp, clip.text, first_char)
    if sender is None:
        outgoing.send_end(stamp, end_char, 0)
        return
    sender.drop_waiting()
    span = common_pb2.TextSpan(begin_char=first_char, end_char=end_char)
    # A breath after what was broken off, so that the two do not run together.
    breath = bytes(int(clip.rate_hertz * _BREATH_S) * 2) if sender.sent_samples else b""
    audio = breath + clip.audio
    step = int(clip.rate_hertz * _CHUNK_S) * 2
    for first in range(0, len(audio), step):
        sender.add(audio[first : first + step], span)
    sender.complete()
    await sender.send_all()
    outgoing.send_end(stamp, end_char, sender.sent_samples)
    await sender.played_out()

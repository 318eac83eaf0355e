"""The guard: what is no speech is no text.

Of a bang, a hum or music this network writes "You", without a full stop, as if it had
learnt that there has to be a text. That makes its own measure: how likely that text is
is how likely it is that nobody spoke, whatever else the network writes. What it wrote is
looked at with it: what was said stays likely where the silence around the sound, with
which it is read, is left away; what was invented does not.

That much is little where people laugh, sing or hum: the network doubts its text, and not
enough. So each second of speech that the text would take, and in which the detector of voice
activity is not sure of any voice (:mod:`sure_voice`), counts as well. Where both are sure, of a
text of some length, nothing is read again: somebody spoke. Laughter that is written
down as such is no text (:mod:`laughter`), nor is one that is too short for its sound
(:mod:`speech_rate`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from voicemesh_asr.engines.moonshine.network import RATE_HERTZ, Decoded, Encoded, MoonshineNetwork
from voicemesh_asr.engines.moonshine.revision import DOUBTFUL, Piece
from voicemesh_asr.engines.redecoding.laughter import is_laughter
from voicemesh_asr.engines.redecoding.phrase_likeness import plain
from voicemesh_asr.engines.redecoding.repetition import loop_begin
from voicemesh_asr.engines.redecoding.speech_rate import is_too_fast, is_too_slow
from voicemesh_asr.engines.redecoding.sure_voice import lacks_voice
from voicemesh_asr.vad.silero_network import shared_network

NOTHING = Decoded((), np.zeros(0, np.float32))
"""Nobody spoke."""
_TEXT_OF_NOISE = "You"
_LONGEST_S = 6
"""Seconds of sound that are encoded once more; of more the text tells enough, and it takes long."""
_SPEECH_TOKENS = 4
"""Tokens from which on a text that is not doubtful and has its voice is speech. Of 219 pieces of
noise that people's recordings hold or that are synthetic, the evidence decides none of these
otherwise, at -0.3 neither; of 122 of people speaking none; it takes away 14 of 272 commands and
answers in synthetic voices. It is a third of a final pass that is saved."""
_WEIGHT_OF_DOUBT = 4.0
"""What the mean logarithm of a token's probability counts beside that of the text of noise."""
_WEIGHT_OF_MISSING_VOICE = 6.0
"""What a second of text without voice counts, in nats. Between 5 and 7 little differs."""


class WithoutLoops:
    """Says once what the network wrote again and again. See Revision."""

    def revise(self, network: MoonshineNetwork, piece: Piece, decoded: Decoded) -> Decoded:
        """``decoded`` up to where it begins to repeat itself.

        A text that was cut off, or that nobody can say so fast, may repeat itself but once.
        """
        text = network.text(decoded)
        spoken = decoded.finished and not is_too_fast(text, piece.samples, RATE_HERTZ)
        pieces = [network.tokenizer.decode([token]).casefold() for token in decoded.tokens]
        end = len(pieces)
        while end and not plain(pieces[end - 1]):
            end -= 1
        for units in (pieces, pieces[:end]):
            begin = loop_begin(units, spoken)
            if begin is not None:
                return replace(
                    decoded,
                    tokens=decoded.tokens[:begin],
                    log_probabilities=decoded.log_probabilities[:begin],
                    finished=True,
                )
        return decoded


class NoSpeech:
    """Takes away the text of what is no speech. See Revision."""

    def __init__(self, threshold: float) -> None:
        """``threshold``: of the evidence, from which on nobody spoke, in nats.

        EngineMissing or EngineError where the network of voice activity cannot be read.
        """
        self._threshold = threshold
        self._voice = shared_network()

    def revise(self, network: MoonshineNetwork, piece: Piece, decoded: Decoded) -> Decoded:
        """``decoded``, or nothing."""
        text = network.text(decoded)
        if not plain(text) or is_laughter(text):
            return NOTHING
        short = len(piece.samples) <= _LONGEST_S * RATE_HERTZ
        sure = self._somebody_spoke(text, piece, decoded)
        if short and not sure and self._nobody_spoke(network, piece, decoded):
            return NOTHING
        if not piece.is_final:  # Its end may not have been heard.
            return decoded
        fits = not (
            is_too_fast(text, piece.samples, RATE_HERTZ)
            or is_too_slow(text, piece.samples, RATE_HERTZ)
        )
        return decoded if fits else NOTHING

    def _somebody_spoke(self, text: str, piece: Piece, decoded: Decoded) -> bool:
        """Both networks are sure of it."""
        if len(decoded.tokens) < _SPEECH_TOKENS or decoded.average < DOUBTFUL:
            return False
        return not lacks_voice(self._voice, text, piece.samples, may_miss_s=0.0)

    def _nobody_spoke(self, network: MoonshineNetwork, piece: Piece, decoded: Decoded) -> bool:
        """The silence around the sound is left away, which takes invented text its likelihood.

        What is expected is likely to be said: it has to be in doubt with the silence as well.
        """
        bare = network.encode(piece.samples, piece.counter, in_silence=False)
        if not self._is_noise(network, bare, piece, decoded):
            return False
        text = plain(network.text(decoded))
        if all(plain(phrase.text) != text for phrase in piece.phrases):
            return True
        return self._is_noise(network, piece.encoded, piece, decoded)

    def _is_noise(
        self, network: MoonshineNetwork, encoded: Encoded, piece: Piece, decoded: Decoded
    ) -> bool:
        short_of = self._threshold - self._evidence(network, encoded, piece, decoded)
        may_miss_s = short_of / _WEIGHT_OF_MISSING_VOICE
        return lacks_voice(self._voice, network.text(decoded), piece.samples, may_miss_s)

    @staticmethod
    def _evidence(
        network: MoonshineNetwork, encoded: Encoded, piece: Piece, decoded: Decoded
    ) -> float:
        # One after the other: what is scored at once is rounded alike.
        text_of_noise = network.tokenizer.encode(_TEXT_OF_NOISE)
        (noise,) = network.score(encoded, [text_of_noise], piece.counter)
        (said,) = network.score(encoded, [decoded.tokens], piece.counter)
        return float(noise.log_probabilities.sum()) - _WEIGHT_OF_DOUBT * said.average

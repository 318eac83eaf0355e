"""The languages of Whisper, in the order of their tokens."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from voicemesh.language_tags import primary_language

# fmt: off
LANGUAGES = (
    "en", "zh", "de", "es", "ru", "ko", "fr", "ja", "pt", "tr", "pl", "ca", "nl", "ar", "sv", "it",
    "id", "hi", "fi", "vi", "he", "uk", "el", "ms", "cs", "ro", "da", "hu", "ta", "no", "th", "ur",
    "hr", "bg", "lt", "la", "mi", "ml", "cy", "sk", "te", "fa", "lv", "bn", "sr", "az", "sl", "kn",
    "et", "mk", "br", "eu", "is", "hy", "ne", "mn", "bs", "kk", "sq", "sw", "gl", "mr", "pa", "si",
    "km", "sn", "yo", "so", "af", "oc", "ka", "be", "tg", "sd", "gu", "am", "yi", "lo", "uz", "fo",
    "ht", "ps", "tk", "nn", "mt", "sa", "lb", "my", "bo", "tl", "mg", "as", "tt", "haw", "ln",
    "ha", "ba", "jw", "su", "yue",
)
# fmt: on
"""ISO 639 codes. The last, Cantonese, is known from large-v3 on only."""


def _known(tags: tuple[str, ...]) -> tuple[str, ...]:
    for tag in tags:
        if primary_language(tag) not in LANGUAGES:
            raise ValueError(f"Whisper does not know {tag!r}; it knows {', '.join(LANGUAGES)}")
    return tags


KnownTags = Annotated[tuple[str, ...], AfterValidator(_known)]
"""A setting: BCP-47 tags of languages that Whisper has."""

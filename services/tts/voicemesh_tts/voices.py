"""Which voice speaks which language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from voicemesh.errors import NotFound, SettingsError, Unsupported
from voicemesh.v1 import common_pb2, tts_pb2
from voicemesh_tts.engines.engine import Voice
from voicemesh_tts.text.scripts import primary


class VoiceTable:
    """The voices of an engine, with the settings' preferences."""

    def __init__(self, voices: Sequence[Voice], preferred: Mapping[str, str], engine: str) -> None:
        """``preferred`` maps languages to voice names; SettingsError if one is wrong."""
        self._engine = engine
        self._by_name = {voice.name: voice for voice in voices}
        self._by_language: dict[str, Voice] = {}
        for voice in voices:
            for language in voice.languages:
                self._by_language.setdefault(language, voice)
        for tag, name in preferred.items():
            voice_or_none = self._by_name.get(name)
            if voice_or_none is None or primary(tag) not in voice_or_none.languages:
                raise SettingsError(
                    f"no voice {name!r} of the engine {engine} speaks {tag}; "
                    f"those that do: {self._names(primary(tag))}",
                    field=f"tts.voices.{tag}",
                )
            self._by_language[primary(tag)] = voice_or_none

    def _names(self, language: str) -> str:
        names = [v.name for v in self._by_name.values() if language in v.languages]
        return ", ".join(names) or "none"

    @property
    def languages(self) -> list[common_pb2.Language]:
        """The languages that are spoken."""
        return [common_pb2.Language(language_code=code) for code in self._by_language]

    def check_language(self, language_code: str, field: str) -> None:
        """Unsupported, naming ``field``, when no voice speaks the language."""
        if primary(language_code) not in self._by_language:
            raise Unsupported(
                f"no voice speaks {language_code!r}; the languages are: "
                + ", ".join(sorted(self._by_language)),
                field=field,
            )

    def named(self, name: str, field: str) -> Voice | None:
        """The voice of that name, None for no name; NotFound when it does not exist."""
        if name and name not in self._by_name:
            first = ", ".join(list(self._by_name)[:6])
            raise NotFound(
                f"no voice is named {name!r}; ListVoices has all: {first}, …", field=field
            )
        return self._by_name.get(name)

    def pick(self, language: str, wished: Voice | None) -> Voice | None:
        """The voice for a language: the one wished for if it speaks it."""
        if wished is not None and language in wished.languages:
            return wished
        return self._by_language.get(language)

    def listed(self, language_code: str) -> Iterator[tts_pb2.Voice]:
        """The voices of a language, or all of them, as they cross the wire."""
        wanted = primary(language_code)
        chosen = self._by_language.get(wanted)
        for voice in sorted(self._by_name.values(), key=lambda v: v is not chosen):
            if not wanted or wanted in voice.languages:
                yield tts_pb2.Voice(
                    name=voice.name,
                    languages=[common_pb2.Language(language_code=c) for c in voice.languages],
                    native_sample_rate_hertz=voice.native_rate_hertz,
                    engine=voice.engine or self._engine,
                    licence=voice.licence,
                )

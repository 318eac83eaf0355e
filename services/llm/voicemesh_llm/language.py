"""Which of the two languages of our own texts a conversation needs."""

from voicemesh.writing import has_han


def primary_tag(language_code: str) -> str:
    """The primary part of a BCP-47 tag in lower case; Mandarin (cmn) counts as zh."""
    primary = language_code.lower().replace("_", "-").split("-")[0]
    return "zh" if primary == "cmn" else primary


def speaks_chinese(text: str, language_code: str = "") -> bool:
    """Whether to speak Chinese: the tag decides, else the script of ``text``."""
    if language_code:
        return primary_tag(language_code) == "zh"
    return has_han(text)

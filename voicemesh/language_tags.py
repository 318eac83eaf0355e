"""What is read of a BCP-47 tag."""

from __future__ import annotations


def primary_language(tag: str) -> str:
    """The language of a tag, in small letters: "zh-CN", "zh_CN" and "cmn" are "zh"."""
    primary = tag.replace("_", "-").partition("-")[0].lower()
    return "zh" if primary == "cmn" else primary

"""Traditional Chinese characters to simplified ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.errors import EngineMissing
from voicemesh_asr.engines.whisper.settings import EXTRA

if TYPE_CHECKING:
    from opencc import OpenCC


class Simplifier:
    """OpenCC's table of phrases and characters."""

    def __init__(self) -> None:
        """EngineMissing without OpenCC."""
        try:
            from opencc import OpenCC
        except ImportError as error:
            raise EngineMissing(
                f"opencc is not installed; pip install '{EXTRA}', or set "
                "asr.whisper.simplified = false"
            ) from error
        self._converter: OpenCC = OpenCC("t2s")

    def simplified(self, text: str) -> str:
        """``text`` in simplified characters; what is no Chinese stays."""
        return str(self._converter.convert(text))

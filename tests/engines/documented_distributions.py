"""The distributions that docs/engines.md shows, as files."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "engines.md"

_FILE = re.compile(r"^`(voicemesh-\w+/\S+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def write_distributions(folder: Path) -> list[Path]:
    """Write every file that the page shows beneath ``folder``; the distributions' folders."""
    files = _FILE.findall(PAGE.read_text(encoding="utf-8"))
    for name, text in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sorted({folder / name.partition("/")[0] for name, _ in files})

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_generated_code_is_what_the_contracts_say() -> None:
    bin_folder = str(Path(sys.executable).parent)
    result = subprocess.run(
        [ROOT / "scripts/generate_protos", "--check"],
        env={"PATH": f"{bin_folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr

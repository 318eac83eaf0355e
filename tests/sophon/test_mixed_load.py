"""All services on one chip: how much later the first audio comes than with a chip for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from voicemesh_evaluation.chips.profiles import Profile, load_profiles

from .mixed_load import Heard, MixedLoad

PROFILES = {profile.name: profile for profile in load_profiles()}
ANY = frozenset({0})
SE7 = dict.fromkeys(("asr", "tts", "llm"), ANY)
SE9 = SE7 | {"tts": frozenset({1})}  # As docs/sophon.md places them.
QUESTIONS = 300

Record = Callable[[str, object], None]


def p95_ms(heard: Heard) -> float:
    return float(np.percentile(heard.first_audio_ms, 95))


def places(profile: Profile) -> dict[str, frozenset[int]]:
    return SE7 if profile.box.startswith("SE7") else SE9


@pytest.mark.parametrize("name", PROFILES)
def test_one_chip_for_all_answers_hardly_later_than_a_chip_for_each(
    name: str, record_property: Record
) -> None:
    """One robot, whose person speaks over replies and makes pauses that look like the end."""
    profile = PROFILES[name]
    heard = {
        shared: MixedLoad(profile, places(profile), shared).run(1, QUESTIONS, seed=1)
        for shared in (True, False)
    }
    one, each = p95_ms(heard[True]), p95_ms(heard[False])
    record_property("p95_ms", f"{one:.0f} on one chip, {each:.0f} with a chip for each")
    assert len(heard[True].first_audio_ms) == QUESTIONS
    assert one <= 1.1 * each
    for found in heard.values():
        assert len(found.tokens_after_cancel) > QUESTIONS / 10
        assert max(found.tokens_after_cancel) <= 1


def test_what_the_engines_take_is_what_is_published() -> None:
    profile = PROFILES["SE7-32, the demo's models"]
    heard = MixedLoad(profile, SE7, shared=True).run(1, 50, seed=2)
    assert min(heard.first_audio_ms) == pytest.approx(profile.critical_path()[-1][1], rel=0.05)

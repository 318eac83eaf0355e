"""Published stage times become settings of simulated engines, and a critical path."""

import pytest

from voicemesh.settings import load
from voicemesh_evaluation.chips.profiles import Profile, load_profiles
from voicemesh_evaluation.chips.replay import Replayed, as_json, report

PROFILES = load_profiles()


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_profile_is_a_valid_mesh_and_cites_every_figure(profile: Profile) -> None:
    load(flags=profile.settings())
    assert profile.figures()
    assert all(len(figure.source) > 20 for figure in profile.figures().values())


def test_what_nobody_has_published_is_marked_as_an_estimate() -> None:
    estimates = [(p.name, name) for p in PROFILES for name, f in p.figures().items() if f.estimate]
    assert estimates == [("SE9-16, the demo's models", "final pass, ms")]


def test_the_critical_path_hides_what_fits_into_the_silence() -> None:
    path = dict(next(p for p in PROFILES if p.name == "SE7-32, recommended").critical_path())
    assert path["text of the question"] == 150
    assert path["end of turn"] == 300
    assert path["first audio"] == pytest.approx(150 + 355 + 9 * 1000 / 26 + 348)


def test_a_late_final_pass_moves_the_end_of_the_turn() -> None:
    path = dict(next(p for p in PROFILES if p.name == "SE7-32, the demo's models").critical_path())
    assert path["end of turn"] == path["text of the question"] == 150 + 626


def test_the_report_says_which_bar_is_missed() -> None:
    good, bad = (
        Replayed(p, [p.critical_path()[-1][1] + d])
        for p, d in zip(PROFILES[:2], (60, 61), strict=True)
    )
    lines = report([good, bad])
    assert sum("| met |" in line for line in lines) == 1
    assert sum("| missed |" in line for line in lines) == 1
    assert '"within_bar": false' in as_json([bad])

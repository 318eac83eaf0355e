"""The simulator with sail's interface behaves as sail does, and so does sail where it is."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from voicemesh_sophon.cmodel.sophon.simulator import location

from .sail_behaviour import CHECKS, STAND_IN_ONLY

GUARDED = Path(__file__).with_name("guarded_arrays.py")
ROOT = Path(__file__).parents[2]
PATHS = f"{ROOT}:{Path(__file__).parent}"
Results = Callable[[str, str], dict[str, str | None]]


def python(chip: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python with our packages and ``sail_behaviour`` that simulates ``chip``."""
    environment = os.environ | {location.CHIP_VARIABLE: chip, "PYTHONPATH": PATHS}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="session")
def results(assets: Path) -> Results:
    """``results("stand-in", "bm1688")``: what each check said, all run in one process."""

    @cache
    def run(kind: str, chip: str) -> dict[str, str | None]:
        done = python(chip, "-m", "sail_behaviour", kind, str(assets), chip)
        said = dict(json.loads(line) for line in done.stdout.splitlines())
        left = [name for name in CHECKS if kind == "stand-in" or name not in STAND_IN_ONLY]
        for name in left[len(said) :]:
            said[name] = f"not reached, the process ended ({done.returncode}): {done.stderr}"
        return said

    return run


@pytest.mark.parametrize("chip", location.CHIPS)
@pytest.mark.parametrize("name", CHECKS)
def test_the_stand_in_is_like_sail(
    simulator: Callable[[str], Path], results: Results, chip: str, name: str
) -> None:
    simulator(chip)
    assert results("stand-in", chip)[name] is None


# A folder of that name, such as ours, is no package of the vendor's.
INSTALLED = all(importlib.util.find_spec(name) for name in ("sophon", "sophon.sail"))


@pytest.mark.skipif(not INSTALLED, reason="the vendor's sophon.sail is not installed here")
@pytest.mark.parametrize("name", [n for n in CHECKS if INSTALLED and n not in STAND_IN_ONLY])
def test_the_installed_sail_is_as_we_think(results: Results, name: str) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", "from sophon import sail; print(sail.Handle(0).get_target())"],
        capture_output=True,
        text=True,
        check=True,
    )
    target = asked.stdout.split()[-1].lower()
    chip = os.environ.get(location.CHIP_VARIABLE, "") if target == "error" else target
    if chip not in location.CHIPS:
        pytest.skip(f"there are no test models for {target}; {location.CHIP_VARIABLE} may name one")
    assert results("installed", chip)[name] is None


PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
from sophon import sail
engine = sail.Engine({model!r}, 0, sail.IOMode.DEVIO)
print(sail.__file__)
engine.process("bert", engine.create_input_tensors_map("bert"),
               engine.create_output_tensors_map("bert"))
print("done")
"""


@pytest.mark.parametrize("chip", location.CHIPS)
def test_a_program_ends_in_order_and_prints_its_own_words_alone(
    simulator: Callable[[str], Path], assets: Path, chip: str
) -> None:
    simulator(chip)
    folder = ROOT / "sophon" / "voicemesh_sophon" / "cmodel"
    model = assets / "vits" / chip / "bert_f16_1core.bmodel"
    done = python(chip, "-c", PROGRAM.format(folder=str(folder), model=str(model)))
    assert done.returncode == 0
    assert done.stdout == f"{folder}/sophon/sail/__init__.py\ndone\n"
    assert done.stderr.count("\n") == 1
    assert f"simulator of {chip.upper()}, no TPU" in done.stderr


@pytest.mark.parametrize("chip", location.CHIPS)
def test_a_model_loads_where_no_array_of_the_runtime_has_room_behind_it(
    simulator: Callable[[str], Path], assets: Path, chip: str
) -> None:
    simulator(chip)
    (model,) = (assets / "llm" / chip).glob("*_history.bmodel")
    done = python(chip, str(GUARDED), str(model))
    assert (done.returncode, done.stdout) == (0, "11 networks\n"), done.stderr


def test_a_simulator_that_was_not_fetched_is_named_with_its_cure(tmp_path: Path) -> None:
    program = (
        "import os; os.environ['VOICEMESH_SOPHON_SIMULATOR'] = '/nowhere'\n"
        "from voicemesh_sophon.cmodel.sophon import sail\n"
        "sail.Handle(0)"
    )
    done = python("bm1684x", "-c", program)
    assert "SailDeviceError" in done.stderr
    assert "not in /nowhere/bm1684x: run scripts/fetch_simulator bm1684x" in done.stderr
    assert "SailDeviceError: VOICEMESH_SOPHON_CHIP=bm1680" in python("bm1680", "-c", program).stderr


PATCHES = """
import ctypes
from pathlib import Path
from voicemesh_sophon.cmodel.sophon.simulator import completion_poll, engine_threads, linkage
folder = Path({folder!r})
device = ctypes.CDLL(str(folder / "libbmlib.so.0"), mode=ctypes.RTLD_GLOBAL)
cmodel = ctypes.CDLL(str(folder / "libcmodel.so"))
print(completion_poll.shorten(cmodel), completion_poll.shorten(device),
      completion_poll.shorten(device))
print(linkage.import_slot(device, "no_such_function"), linkage.import_slot(device, "usleep") != 0)
slot = linkage.import_slot(cmodel, "pthread_mutex_unlock")
before = ctypes.c_uint64.from_address(slot).value
print(engine_threads.make_polite(cmodel), ctypes.c_uint64.from_address(slot).value != before)
"""


def test_waits_are_changed_once_and_only_where_they_are_found(
    simulator: Callable[[str], Path],
) -> None:
    done = python("bm1684x", "-c", PATCHES.format(folder=str(simulator("bm1684x"))))
    assert done.stdout.splitlines() == ["False True False", "None True", "True True"], done.stderr

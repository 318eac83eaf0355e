"""What is known of the vendor's failures and versions, in words with a cure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from voicemesh_sophon.chip_owner.bmodel_file import read_bmodel
from voicemesh_sophon.chip_owner.vendor_errors import SYMPTOMS, explain, explained
from voicemesh_sophon.chip_owner.versions import number_of, too_new, too_old


@pytest.mark.parametrize(
    ("printed", "cause"),
    [
        ("[BMRT] FATAL:gdma dst shouldn't be coeff, buffer_id[1]", "newer than driver"),
        ("[BMODEL][read_binary:461] FATAL: size + offset <= binary->size()", "cut short"),
        ("[bmlib_memory][error] bm_alloc_gmem failed, dev_id = 0, size = 0x2f7600", "too little"),
        ("[BMRT][Register:1162] FATAL:coeff alloc failed, size[0x1851b000]", "too little"),
        ("runtime arch[BM1688] is not the same with bmodel arch[BM1684X]", "another chip"),
        ("FATAL:BMRT_ASSERT: _kernel_modulekernel_module shouldn't be NULL!!", "firmware"),
        ("AttributeError: module 'sophon.sail' has no attribute 'EngineLLM'", "without EngineLLM"),
        ("ModuleNotFoundError: No module named 'sophon'", "no sophon.sail"),
        ("cannot import name 'sail' from 'sophon' (unknown location)", "no sophon.sail"),
        ("cannot import name 'sail' from 'sophon' (/x/sophon/__init__.py)", "not the vendor's"),
        ("ModuleNotFoundError: No module named 'sophon.sail'", "not the vendor's"),
        ("libbmrt.so.1.0: cannot open shared object file", "libraries are not found"),
        ("/lib/libc.so.6: version `GLIBC_2.34' not found", "newer system"),
        ("[bmlib_memory][error] bmdev memcopy failed, ioclt ret = -1:1234", "could not copy"),
        ("sail.so: undefined symbol: bmrt_get_network_info", "different SDKs"),
    ],
)
def test_known_failures_are_told_with_cause_and_cure(printed: str, cause: str) -> None:
    symptom = explain(printed)
    assert symptom is not None
    assert cause in symptom.cause
    text = explained(printed)
    assert text.startswith(printed)
    assert symptom.cure in text
    assert explained(text) == text  # Whoever passes it on adds nothing more.


def test_unknown_failures_stay_as_they_are() -> None:
    assert explain("something else") is None
    assert explained(" something else\n") == "something else"


def test_every_failure_has_a_cause_and_a_cure() -> None:
    assert all(symptom.cause and symptom.cure for symptom in SYMPTOMS)
    assert len({symptom.pattern for symptom in SYMPTOMS}) == len(SYMPTOMS)


@pytest.mark.parametrize(
    ("version", "number"),
    [("0.5.1-LTS", (0, 5, 1)), ("3.9.1", (3, 9, 1)), ("master(20250101_1)", ()), ("", ())],
)
def test_only_release_numbers_are_judged(version: str, number: tuple[int, ...]) -> None:
    assert number_of(version) == number


def test_old_versions_are_named_with_what_they_cost() -> None:
    assert too_old({"libsophon": "0.5.0", "sail": "3.10.2", "driver": "whatever"}) == {}
    assert too_old({"sail": "simulator of tpu_mlir 1.30.2"}) == {}
    old = too_old({"libsophon": "0.4.9", "sail": "3.8.0"})
    assert "July 2024" in old["libsophon"][0]
    assert "caches are copied" in old["sail"][0]


def test_a_model_that_is_newer_than_libsophon_is_doubted(assets: Path) -> None:
    file = read_bmodel(str(assets / "vits/bm1688/bert_f16_1core.bmodel"))
    assert file.path in too_new(file, {"libsophon": "0.4.9"})
    assert too_new(file, {"libsophon": "0.5.1"}) == ""
    assert too_new(file, {}) == ""
    assert too_new(replace(file, made="Mon Jun 10 10:00:00 2024"), {"libsophon": "0.4.9"}) == ""
    assert too_new(replace(file, made="one day"), {"libsophon": "0.4.9"}) == ""

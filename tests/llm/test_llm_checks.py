"""What the doctor is told of the chosen engine."""

from pathlib import Path

import pytest

from voicemesh.commands.doctor_checks import engine_checks
from voicemesh.settings import load


def verdict(name: str, **flags: str) -> tuple[str, str]:
    settings = load(environ={}, flags=flags)
    (check,) = [c for c in engine_checks(settings) if c.name == f"llm.engine = {name}"]
    return check.verdict, f"{check.detail} {check.cure}"


def test_a_model_server_that_does_not_answer_is_a_failure_with_its_cure() -> None:
    flags = {"llm.engine": "openai", "llm.openai.base_url": "http://127.0.0.1:9/v1"}
    result, text = verdict("openai", **flags)
    assert result == "fail"
    assert "nothing answers" in text
    assert "llm.openai.base_url" in text


@pytest.mark.parametrize(("there", "result"), [(True, "ok"), (False, "fail")])
def test_knowledge_files_are_read(tmp_path: Path, there: bool, result: str) -> None:
    file = tmp_path / "own.toml"
    if there:
        file.write_text('[[entry]]\nid = "a"\n[entry.en]\nquestion = "who"\nanswers = ["me"]\n')
    assert verdict("scripted", **{"llm.scripted.knowledge_files": f'["{file}"]'})[0] == result

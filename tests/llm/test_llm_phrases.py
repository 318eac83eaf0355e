"""What the recogniser is told to expect."""

from pathlib import Path

from voicemesh.registry import installed
from voicemesh.settings import load


def test_questions_sums_and_reset_phrases_are_expected(tmp_path: Path) -> None:
    own = tmp_path / "museum.toml"
    own.write_text(
        '[[entry]]\nid = "hours"\n[entry.en]\n'
        'question = "when does the museum open"\nanswers = ["At nine."]\n'
    )
    settings = load(environ={}, flags={"llm.scripted.knowledge_files": f'["{own}"]'})
    phrases = set(installed("voicemesh.phrases")["knowledge"](settings, "en"))
    assert {"what is artificial intelligence", "when does the museum open", "start over"} <= phrases
    assert "重新开始" in set(installed("voicemesh.phrases")["knowledge"](settings, "zh"))
    assert not set(installed("voicemesh.phrases")["knowledge"](settings, "de"))

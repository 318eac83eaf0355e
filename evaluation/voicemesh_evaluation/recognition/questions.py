"""How well a mesh hears spoken questions, and how well its own replies can be heard.

Questions are spoken by two flite voices and asked through a whole mesh. The
known ones stand in the knowledge file and so among the recogniser's expected
phrases: that is a closed set. The others are outside of it.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from voicemesh.audio import Samples
from voicemesh.audio_format import linear16
from voicemesh.errors import EngineMissing
from voicemesh.grpc_client import open_channel
from voicemesh.v1 import asr_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh_evaluation.report import machine, quiet_mesh, run, table
from voicemesh_evaluation.words import content_share, word_errors, words
from voicemesh_robot.asking.question_record import QuestionRecord
from voicemesh_robot.asking.question_session import QuestionSession
from voicemesh_robot.asking.question_turn import Question
from voicemesh_robot.asking.streamed_conversation import StreamingMode
from voicemesh_robot.settings import RobotSettings

VOICES = ("rms", "kal16")
_RECOGNIZE_TIMEOUT_S = 120
_LONGEST_RECORDING_S = 60


@dataclass
class _Score:
    """Word errors of one voice over one set of questions."""

    words: int = 0
    errors: int = 0
    questions: int = 0
    wrong: list[tuple[str, str]] = field(default_factory=list)

    def add(self, said: str, understood: str) -> None:
        errors = word_errors(words(said), words(understood))
        self.words += len(words(said))
        self.errors += errors
        self.questions += 1
        if errors:
            self.wrong.append((said, understood))

    @property
    def percent(self) -> float:
        return 100 * self.errors / max(1, self.words)


async def speak(text: str, voice: str, path: Path) -> None:
    """Make a WAV of a text with the flite command; EngineMissing where there is none."""
    try:
        flite = await asyncio.create_subprocess_exec(
            "flite", "-voice", voice, "-t", text, "-o", str(path)
        )
    except FileNotFoundError:
        raise EngineMissing("the flite command is missing; apt-get install flite") from None
    if await flite.wait() != 0:
        raise EngineMissing(f"flite has no voice {voice}; `flite -lv` lists its voices")


async def transcribe(target: str, samples: Samples, rate_hertz: int) -> str:
    """What the ASR service at ``target`` understands of a recording (its first minute)."""
    samples = samples[: _LONGEST_RECORDING_S * rate_hertz]
    async with open_channel(target) as channel:
        request = asr_pb2.RecognizeRequest(
            audio_format=linear16(rate_hertz), audio=samples.tobytes()
        )
        response = await SpeechRecognizerServiceStub(channel).Recognize(
            request, timeout=_RECOGNIZE_TIMEOUT_S
        )
    return " ".join(transcript.text for transcript in response.transcripts)


async def _ask_all(
    target: str, questions: Sequence[str], voice: str, folder: Path
) -> list[QuestionRecord]:
    mode = StreamingMode(real_time=False, store_reply=True)
    records = []
    async with QuestionSession(RobotSettings(target=target), mode) as session:
        for question in questions:
            path = folder / "question.wav"
            await speak(question, voice, path)
            records.append(await session.ask(Question(audio=path)))
    return records


async def _reply_rows(
    records: Sequence[QuestionRecord], asr_target: str
) -> tuple[list[list[object]], int, int]:
    rows: list[list[object]] = []
    found_in_all, words_in_all = 0, 0
    for record in records:
        heard = await transcribe(asr_target, record.reply.samples(), record.reply.rate_hertz)
        found, total = content_share(record.reply_text, heard)
        found_in_all, words_in_all = found_in_all + found, words_in_all + total
        rows.append([record.transcript, f"{record.reply.seconds:.1f}", f"{found} of {total}"])
    return rows, found_in_all, words_in_all


async def evaluate(options: argparse.Namespace) -> list[str]:
    """The report as lines of Markdown."""
    sets = {
        "known": options.known.read_text(encoding="utf-8").splitlines(),
        "other": options.other.read_text(encoding="utf-8").splitlines(),
    }
    scores = {(name, voice): _Score() for name in sets for voice in VOICES}
    answered: list[QuestionRecord] = []
    failed: list[str] = []
    with TemporaryDirectory() as folder:
        async with quiet_mesh() as mesh:
            for (name, voice), score in scores.items():
                records = await _ask_all(mesh.target, sets[name], voice, Path(folder))
                for said, record in zip(sets[name], records, strict=True):
                    score.add(said, record.transcript)
                    if record.error is not None:
                        failed.append(f"- {voice}, “{said}”: {record.problem}")
                    elif name == "known" and voice == VOICES[0]:
                        answered.append(record)
            replies = [record for record in answered if record.spoken_answer][: options.replies]
            asr_target = mesh.services["asr"].planned.target
            rows, found, total = await _reply_rows(replies, asr_target)
    return [*_hearing(scores), *_replies(rows, found, total), *_failures(failed), "", machine()]


def _hearing(scores: dict[tuple[str, str], _Score]) -> list[str]:
    rows = [
        [name, voice, score.questions, score.words, score.errors, f"{score.percent:.1f} %"]
        for (name, voice), score in scores.items()
    ]
    known = [score for (name, _), score in scores.items() if name == "known"]
    errors, count = sum(s.errors for s in known), sum(s.words for s in known)
    wrong = [
        f"- {name}, {voice}: “{said}” became “{understood}”"
        for (name, voice), score in scores.items()
        for said, understood in score.wrong
    ]
    return [
        "# Recognition",
        "",
        "Questions spoken by two flite voices, asked through the whole mesh as fast as possible.",
        "Known questions stand in the knowledge file and are expected phrases of the recogniser:",
        "a closed set. Other questions are outside of it.",
        "",
        *table(["set", "voice", "questions", "words", "errors", "word error rate"], rows),
        "",
        f"Known questions, both voices: {100 * errors / max(1, count):.1f} % (bar: 5 %).",
        *(["", "What was misheard:", "", *wrong] if wrong else []),
    ]


def _replies(rows: list[list[object]], found: int, total: int) -> list[str]:
    return [
        "",
        "## Replies, heard by the mesh's own recogniser",
        "",
        "Content words of the reply's text that its audio's transcript contains. The words of",
        "replies are not among the expected phrases.",
        "",
        *table(["question", "seconds", "content words found"], rows),
        "",
        f"In all {found} of {total} content words: {100 * found / max(1, total):.0f} %.",
    ]


def _failures(failed: list[str]) -> list[str]:
    return ["", "Turns that failed:", "", *failed] if failed else []


def main() -> int:
    """The command of scripts/evaluate_recognition."""
    parser = argparse.ArgumentParser(
        prog="evaluate_recognition", description="How well a mesh hears."
    )
    parser.add_argument("--known", type=Path, required=True, help="questions, one a line")
    parser.add_argument("--other", type=Path, required=True, help="questions, one a line")
    parser.add_argument(
        "--replies", type=int, default=10, metavar="N", help="how many replies are transcribed"
    )
    return run(parser, evaluate)


if __name__ == "__main__":
    raise SystemExit(main())

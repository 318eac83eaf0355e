"""Whether a crowd that comes and goes leaves memory behind: many conversations, round after round.

Each round opens all conversations, has every one ask a question, measures what the services hold
while they are open, closes them, and measures again.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from voicemesh.audio import Samples
from voicemesh.supervisor import Mesh
from voicemesh.v1.dialog_pb2 import TurnEnded
from voicemesh_evaluation.process_tree import read_resources
from voicemesh_evaluation.report import machine, run, table
from voicemesh_robot.files.audio_file import AudioFile
from voicemesh_robot.mesh.connection import ConversationOptions
from voicemesh_robot.mesh.conversation import Conversation
from voicemesh_robot.sound.heard import HeardSound

BAR_MB_PER_CONVERSATION = 0.6
"""What ASR may hold for one conversation while it is open."""
WARM_ROUNDS = 2
"""Rounds in which pools and the allocator's arenas may fill."""
BAR_GROWTH_MB = 5.0
"""What a service may hold more at the end than after the warm rounds. Allocators are not exact."""
SETTLE_S = 2.5
OPENING = 20
"""Conversations that are opened at the same time."""
RATE_HERTZ = 16_000
_CHUNK = RATE_HERTZ // 10
_PAUSE_S = 1.0


@dataclass
class Held:
    """What one service held, in MB: before, and with the crowd and after it, round by round."""

    before: float
    crowded: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)

    @property
    def warm(self) -> int:
        """The last round of the warm-up."""
        return min(WARM_ROUNDS, len(self.left) - 1)

    def growth(self) -> float:
        """How much more is held than after the warm rounds, with the crowd or without, in MB."""
        pairs = (self.crowded, self.left)
        return max(values[-1] - values[self.warm] for values in pairs)

    def per_conversation(self, conversations: int) -> float:
        """What an open conversation takes in the worst round, in MB."""
        return (max(self.crowded) - self.before) / conversations


@dataclass
class Crowd:
    """The measurement."""

    conversations: int
    services: dict[str, Held]

    def failures(self) -> list[str]:
        """What is above the bar, in sentences."""
        found = []
        for name, held in self.services.items():
            if (growth := held.growth()) > BAR_GROWTH_MB:
                found.append(f"{name} holds {growth:.1f} MB more than after {held.warm + 1} rounds")
        each = self.services["asr"].per_conversation(self.conversations)
        if each > BAR_MB_PER_CONVERSATION:
            found.append(f"asr holds {each:.2f} MB for a conversation")
        return found


async def _ask(conversation: Conversation, question: Samples) -> None:
    """Say the question at the pace of the mesh, and wait for the end of the turn."""

    async def speak() -> None:
        for begin in range(0, len(question), _CHUNK):
            await conversation.send_heard(HeardSound(begin, question[begin : begin + _CHUNK]))

    async def hear() -> None:
        while not isinstance((await conversation.receive()).payload, TurnEnded):
            pass

    await asyncio.gather(speak(), hear())


async def _round(mesh: Mesh, conversations: int, question: Samples, held: dict[str, Held]) -> None:
    options = ConversationOptions(mesh.target, reply_rate_hertz=None, admission_timeout_s=60)
    places = asyncio.Semaphore(OPENING)

    async def opened() -> Conversation:
        async with places:
            return await Conversation.open(options)

    crowd = await asyncio.gather(*(opened() for _ in range(conversations)))
    await asyncio.gather(*(_ask(conversation, question) for conversation in crowd))
    for name, megabytes in _resident(mesh).items():
        held[name].crowded.append(megabytes)
    await asyncio.gather(*(conversation.close() for conversation in crowd))
    await asyncio.sleep(SETTLE_S)
    for name, megabytes in _resident(mesh).items():
        held[name].left.append(megabytes)


def _resident(mesh: Mesh) -> dict[str, float]:
    return {n: read_resources(child.pid).rss_kb / 1024 for n, child in mesh.services.items()}


async def measure(
    conversations: int, rounds: int, question: Samples, flags: dict[str, str]
) -> Crowd:
    """Have a mesh of its own take such rounds. Recogniser and model are simulated."""
    room = str(conversations + 1)
    settings = {
        "mesh.log_level": "warning",
        "orchestrator.max_conversations": room,
        "asr.engine": "simulated",
        "asr.max_open_streams": room,
        "asr.simulated.workers": room,
        "llm.engine": "simulated",
        "llm.max_concurrent_streams": room,
        **flags,
    }
    question = np.concatenate([question, np.zeros(int(_PAUSE_S * RATE_HERTZ), np.int16)])
    async with Mesh(ephemeral=True, flags=settings, report=lambda line: None) as mesh:
        held = {name: Held(megabytes) for name, megabytes in _resident(mesh).items()}
        for _ in range(rounds):
            await _round(mesh, conversations, question, held)
    return Crowd(conversations, held)


def report(crowd: Crowd) -> list[str]:
    """What was held, as lines of Markdown."""
    asr = crowd.services["asr"]
    lines = [
        "# Crowd",
        "",
        f"{crowd.conversations} conversations open and close again, {len(asr.left)} times; "
        "resident memory in MB,",
        f"with all of them open and after them. Bars: ASR {BAR_MB_PER_CONVERSATION:g} MB a "
        f"conversation, no service {BAR_GROWTH_MB:g} MB more",
        f"at the end than after round {asr.warm + 1}.",
        "",
    ]
    rows: list[list[object]] = [["before", *(f"{h.before:.0f}" for h in crowd.services.values())]]
    for number, _ in enumerate(asr.left):
        values = (f"{h.crowded[number]:.0f}, {h.left[number]:.0f}" for h in crowd.services.values())
        rows.append([f"round {number + 1}", *values])
    each = (f"{h.per_conversation(crowd.conversations):.2f}" for h in crowd.services.values())
    rows.append(["a conversation", *each])
    lines += table(["", *crowd.services], rows)
    failures = [f"- above the bar: {failure}" for failure in crowd.failures()]
    return [*lines, "", *(failures or ["Nothing is above the bar."]), "", machine()]


async def evaluate(options: argparse.Namespace, failures: list[str]) -> list[str]:
    """The report as lines of Markdown; what is above the bar is added to ``failures``."""
    with AudioFile(options.audio_in) as file:
        question = np.concatenate(list(file.blocks(RATE_HERTZ)))
    flags = dict(setting.split("=", 1) for setting in options.set)
    crowd = await measure(options.conversations, options.rounds, question, flags)
    failures += crowd.failures()
    return report(crowd)


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m voicemesh_evaluation.crowd``."""
    parser = argparse.ArgumentParser(
        prog="crowd", description="Whether conversations that come and go leave memory behind."
    )
    parser.add_argument("--audio-in", type=Path, required=True, help="a question, spoken")
    parser.add_argument("--conversations", type=int, default=200, help="open at the same time")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the mesh"
    )
    failures: list[str] = []
    return run(parser, lambda options: evaluate(options, failures)) or int(bool(failures))


if __name__ == "__main__":
    raise SystemExit(main())

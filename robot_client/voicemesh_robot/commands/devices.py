"""``voicemesh devices``: microphones and speakers of this machine."""

from __future__ import annotations

import argparse
import asyncio
import sys

from voicemesh.settings import Settings
from voicemesh_robot.devices.cards import CardInfo
from voicemesh_robot.devices.portaudio import PortAudio


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def table(cards: list[CardInfo]) -> list[str]:
    """The devices as lines of text; the defaults are marked."""
    if not cards:
        return ["no sound card was found; use --audio-in and --output-file"]
    rows = [("index", "in", "out", "rate", "default", "name")]
    for card in cards:
        marks = [
            mark
            for mark, holds in (
                ("microphone", card.default_input),
                ("speaker", card.default_output),
            )
            if holds
        ]
        rows.append(
            (
                str(card.index),
                str(card.input_channels or "-"),
                str(card.output_channels or "-"),
                str(card.rate_hertz),
                ", ".join(marks),
                f"{card.name} ({card.api})",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[5]])
        for row in rows
    ]


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    for line in table(asyncio.run(_cards())):
        sys.stdout.write(f"{line}\n")
    return 0


async def _cards() -> list[CardInfo]:
    return await PortAudio().cards()

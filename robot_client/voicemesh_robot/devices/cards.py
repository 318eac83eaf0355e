"""The sound cards of a machine, and which of them somebody means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicemesh.errors import NotFound
from voicemesh.v1 import common_pb2 as pb
from voicemesh_robot.devices.device import DeviceLost


@dataclass(frozen=True)
class CardInfo:
    """A device as PortAudio lists it."""

    index: int
    name: str
    api: str
    input_channels: int
    output_channels: int
    rate_hertz: int
    default_input: bool
    default_output: bool


def choose_card(cards: Sequence[CardInfo], wanted: str, is_input: bool) -> CardInfo:
    """The card of that index or name; the default where ``wanted`` is empty.

    A part of the name is enough where only one has it. NotFound where an index or a
    name can never fit; DeviceLost where a card may still come.
    """
    kind = "microphone" if is_input else "speaker"
    usable = [c for c in cards if (c.input_channels if is_input else c.output_channels) > 0]
    listed = ", ".join(f"{card.index} {card.name}" for card in usable) or "none"
    if not wanted:
        found = [c for c in usable if (c.default_input if is_input else c.default_output)]
    elif wanted.isdecimal():
        found = [card for card in usable if card.index == int(wanted)]
    else:
        name = wanted.casefold()
        found = [card for card in usable if card.name.casefold() == name]
        found = found or [card for card in usable if name in card.name.casefold()]
    if not found:
        what = f"no {kind} {wanted!r} is there" if wanted else f"no {kind} is there"
        raise DeviceLost(f"{what}; there are: {listed}")
    if len(found) > 1:
        several = ", ".join(f"{card.index} {card.name}" for card in found)
        raise NotFound(
            f"{wanted!r} fits several devices: {several}; give more of the name, or the index",
            stage=pb.STAGE_ROBOT,
        )
    return found[0]

"""What went wrong, as people read it."""

from __future__ import annotations

from voicemesh.enums import short_name
from voicemesh.errors import VoiceMeshError
from voicemesh.v1 import common_pb2


def with_stage(error: VoiceMeshError) -> str:
    """The error as a sentence that begins with its stage, where that is known."""
    stage = short_name(common_pb2.Stage, error.stage)
    text = str(error)
    if error.stage == common_pb2.STAGE_UNSPECIFIED or text.startswith(f"{stage}:"):
        return text
    return f"{stage}: {text}"

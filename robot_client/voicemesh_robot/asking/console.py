"""What a person sees of a conversation in a terminal."""

from __future__ import annotations

import sys
from typing import TextIO

from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh_robot.asking.question_record import QuestionRecord
from voicemesh_robot.asking.timeline_chart import timeline_chart
from voicemesh_robot.mesh.events import Event


class Console:
    """Prints the transcript, the reply's text as it comes, and the turn's stages."""

    def __init__(self, out: TextIO | None = None) -> None:
        """``out``: standard output, where none is given."""
        self._out = out or sys.stdout
        self._in_reply = False

    def line(self, text: str = "") -> None:
        """Print a line."""
        if self._in_reply:
            self._out.write("\n")
            self._in_reply = False
        self._out.write(f"{text}\n")
        self._out.flush()

    def observe(self, event: Event) -> None:
        """Print what the mesh said, where a person wants to see it."""
        match event.payload:
            case asr_pb2.TurnEvent(type=kind) as turn:
                if kind == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                    self.line(f"you:   {turn.transcript.text or '(nothing understood)'}")
            case dialog_pb2.ReplyText(text=text):
                if not self._in_reply:
                    self._out.write("robot: ")
                    self._in_reply = True
                self._out.write(text)
                self._out.flush()
            case dialog_pb2.ReplyInterrupted(reason=reason):
                self.line(f"       (interrupted: {reason})")
            case dialog_pb2.ReplyDucked():
                self.line("       (quieter: somebody speaks)")
            case dialog_pb2.FallAsleep(idle_ms=idle_ms):
                self.line(f"       (nobody has spoken for {idle_ms / 1000:g} s: it sleeps)")
            case common_pb2.ErrorDetail(message=message):
                self.line(f"       (error: {message})")
            case dialog_pb2.TurnEnded(outcome=dialog_pb2.TURN_OUTCOME_BACKCHANNEL):
                self.line("       (no interruption: the robot goes on)")
            case dialog_pb2.TurnEnded():
                if self._in_reply:
                    self.line()

    def summary(self, record: QuestionRecord) -> None:
        """Print when what happened."""
        if record.response_ms is not None and record.end_of_turn_s is not None:
            self.line(
                f"\nFrom the last voiced sample to the first reply audio {record.response_ms:.0f} "
                f"ms, of which {record.configured_silence_ms} ms of silence were waited for."
            )
        for line in timeline_chart(record.stages()):
            self.line(line)
        if record.error is not None:
            self.line(f"error: {record.problem}")

"""A recorded conversation: one folder that holds both directions and all events.

    config.json      who recorded what, when, with which config and settings
    microphone.wav   the client's audio; sample n of the file is sample n of its clock
    reply-1.1.0.0.wav  the reply of that stamp; sample n of the file is its sample n
    events.jsonl     every message in its order; of audio only its range of samples

The orchestrator's recorder and ``voicemesh replay`` write it, the latter also reads it.
Whatever was flushed can be read, however the writer ended.
"""

from voicemesh.recording.layout import CONFIG, EVENTS, MICROPHONE, About
from voicemesh.recording.reader import Note, Recorded, Recording
from voicemesh.recording.writer import RecordingFull, RecordingWriter

__all__ = [
    "CONFIG",
    "EVENTS",
    "MICROPHONE",
    "About",
    "Note",
    "Recorded",
    "Recording",
    "RecordingFull",
    "RecordingWriter",
]

"""Prometheus metrics of the synthesis service."""

from prometheus_client import Counter, Gauge, Histogram

from voicemesh.metrics import LATE_WORK_BUCKETS, STAGE_BUCKETS

FIRST_AUDIO = Histogram(
    "voicemesh_tts_first_audio_seconds",
    "From the arrival of a piece, once the pieces before it are done, to its first audio",
    buckets=STAGE_BUCKETS,
)
REALTIME_FACTOR = Histogram(
    "voicemesh_tts_realtime_factor_ratio",
    "Time to synthesise a piece over the time that it lasts",
    buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0),
)
PIECES = Counter("voicemesh_tts_pieces_total", "Pieces by outcome", ["outcome"])
AUDIO = Counter("voicemesh_tts_audio_seconds_total", "Speech that was synthesised")
LATE_CHUNKS = Histogram(
    "voicemesh_tts_chunks_after_cancel",
    "Chunks that the engine made of a cancelled reply after the cancel",
    buckets=LATE_WORK_BUCKETS,
)
RETRIES = Counter("voicemesh_tts_retries_total", "Units repeated after a process had died")
SUBSTITUTED = Counter(
    "voicemesh_tts_substituted_units_total",
    "Units that the embedded engine said because another engine had failed",
)
UNSPOKEN = Counter("voicemesh_tts_unspoken_units_total", "Units without a voice", ["language"])
WAITING = Gauge("voicemesh_tts_waiting_pieces", "Pieces that wait on all streams")
UNSPOKEN_CHARACTERS = Counter(
    "voicemesh_tts_unspoken_characters_total", "Characters of a unit that its voice cannot say"
)
SPLIT_WINDOWS = Counter(
    "voicemesh_tts_split_windows_total",
    "Launches that were repeated in two because the speech was longer than the network's buffer",
)

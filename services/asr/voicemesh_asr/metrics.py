"""What the ASR service measures. Listed in docs/operations.md."""

from prometheus_client import Counter, Histogram

from voicemesh.metrics import STAGE_BUCKETS

ENDPOINT_WAIT = Histogram(
    "voicemesh_asr_endpoint_wait_seconds",
    "Audio between the last voiced sample and the decision that the turn is over",
    ["reason"],
    buckets=STAGE_BUCKETS,
)
FINAL_PASS = Histogram(
    "voicemesh_asr_final_pass_seconds",
    "The recogniser's final pass at an eager end of turn",
    buckets=STAGE_BUCKETS,
)
CHUNK = Histogram(
    "voicemesh_asr_chunk_processing_seconds",
    "Work on one audio message: voice activity, decoding, turn detection",
    buckets=STAGE_BUCKETS,
)
SLOT_WAIT = Histogram(
    "voicemesh_asr_slot_wait_seconds",
    "How long utterances waited that found every recogniser taken, refused ones included",
    buckets=STAGE_BUCKETS,
)
DECISIONS = Counter(
    "voicemesh_asr_turn_decisions_total",
    "Turn events: start, eager, resume and end, by the reason of the decision",
    ["decision", "reason"],
)
UTTERANCES = Counter("voicemesh_asr_utterances_total", "Turns that ended", ["reason"])
EAGER = Counter(
    "voicemesh_asr_eager_ends_total", "Eager ends of turn by what became of them", ["outcome"]
)
AUDIO = Counter("voicemesh_asr_audio_seconds_total", "Audio received, silence included")

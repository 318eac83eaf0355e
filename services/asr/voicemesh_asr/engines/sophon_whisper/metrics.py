"""What the Whisper engine measures. Listed in docs/operations.md."""

from prometheus_client import Counter, Histogram

from voicemesh.metrics import LATE_WORK_BUCKETS, STAGE_BUCKETS

JOBS = Counter(
    "voicemesh_asr_whisper_jobs_total", "Decodes by kind and outcome", ["kind", "outcome"]
)
LATE_TOKENS = Histogram(
    "voicemesh_asr_whisper_tokens_after_cancel",
    "Tokens that were decoded of an utterance after it had been discarded",
    buckets=LATE_WORK_BUCKETS,
)
QUEUE = Histogram(
    "voicemesh_asr_whisper_queue_seconds",
    "From a decode's request to its begin",
    ["kind"],
    buckets=STAGE_BUCKETS,
)
ENCODE = Histogram(
    "voicemesh_asr_whisper_encode_seconds",
    "Front end and encoder of one window",
    buckets=STAGE_BUCKETS,
)
FIRST_TOKEN = Histogram(
    "voicemesh_asr_whisper_first_token_seconds",
    "The decoder's first pass over the prompt",
    buckets=STAGE_BUCKETS,
)
STEP = Histogram(
    "voicemesh_asr_whisper_step_seconds",
    "One further token of all beams: mean of a window",
    buckets=STAGE_BUCKETS,
)
STEPS = Histogram(
    "voicemesh_asr_whisper_steps",
    "Decoder steps of one window",
    buckets=(1, 2, 5, 10, 20, 40, 80, 160, 320, 640),
)
WINDOWS = Counter(
    "voicemesh_asr_whisper_windows_total",
    "Windows by the temperature that gave their text",
    ["temperature"],
)

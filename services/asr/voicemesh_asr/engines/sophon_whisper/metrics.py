"""What the Whisper engine measures. Listed in docs/operations.md."""

from prometheus_client import Counter, Histogram

from voicemesh.metrics import STAGE_BUCKETS

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

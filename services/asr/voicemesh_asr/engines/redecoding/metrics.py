"""What decodes of growing utterances measure. Listed in docs/operations.md."""

from prometheus_client import Counter, Histogram

from voicemesh.metrics import LATE_WORK_BUCKETS, STAGE_BUCKETS

JOBS = Counter("voicemesh_asr_decodes_total", "Decodes by kind and outcome", ["kind", "outcome"])
QUEUE = Histogram(
    "voicemesh_asr_decode_queue_seconds",
    "From a decode's request to its begin",
    ["kind"],
    buckets=STAGE_BUCKETS,
)
DECODE = Histogram(
    "voicemesh_asr_decode_seconds",
    "A decode that was done, from its begin",
    ["kind"],
    buckets=STAGE_BUCKETS,
)
LATE_TOKENS = Histogram(
    "voicemesh_asr_decode_tokens_after_cancel",
    "Tokens that were decoded of an utterance after it had been discarded",
    buckets=LATE_WORK_BUCKETS,
)

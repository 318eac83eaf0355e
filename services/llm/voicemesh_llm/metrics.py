"""Prometheus metrics of the language model service."""

from prometheus_client import Counter, Histogram

from voicemesh.metrics import LATE_WORK_BUCKETS, STAGE_BUCKETS

FIRST_TOKEN = Histogram(
    "voicemesh_llm_first_token_seconds",
    "From the request to the first text of the reply",
    ["engine"],
    buckets=STAGE_BUCKETS,
)
REPLY = Histogram(
    "voicemesh_llm_reply_seconds",
    "From the request to the end of the reply",
    ["engine"],
    buckets=STAGE_BUCKETS,
)
TOKENS = Counter(
    "voicemesh_llm_tokens_total", "Tokens by kind: prompt, cached, completion", ["engine", "kind"]
)
FINISHED = Counter("voicemesh_llm_finished_total", "Replies by finish reason", ["engine", "reason"])
LATE_TOKENS = Histogram(
    "voicemesh_llm_tokens_after_cancel",
    "Tokens that the engine made of a cancelled reply after the cancel",
    ["engine"],
    buckets=LATE_WORK_BUCKETS,
)
DROPPED_MESSAGES = Counter(
    "voicemesh_llm_dropped_messages_total", "Messages that did not fit the history's bounds"
)
HISTORY_RESETS = Counter(
    "voicemesh_llm_history_resets_total", "Conversations that a person started over"
)

"""Prometheus metrics of the sophon-llm engine."""

from prometheus_client import Counter, Gauge, Histogram

from voicemesh.metrics import STAGE_BUCKETS

LOOKUPS = Counter(
    "voicemesh_llm_prefix_cache_lookups_total",
    "Prompts by where their beginning was found: conversation, other, none",
    ["result"],
)
PREFIX_TOKENS = Counter(
    "voicemesh_llm_prefix_cache_tokens_total", "Prompt tokens: reused or fed", ["kind"]
)
EVICTIONS = Counter(
    "voicemesh_llm_prefix_cache_evictions_total", "Conversations that lost their cache to another"
)
SLOTS = Gauge("voicemesh_llm_prefix_cache_slots", "Slots of the prefix cache", ["state"])
FEED = Histogram(
    "voicemesh_llm_feed_seconds",
    "Time to feed a piece of a prompt: whole, history, step",
    ["kind"],
    buckets=STAGE_BUCKETS,
)
TOKEN = Histogram(
    "voicemesh_llm_token_seconds", "Time of one decode step with its choice", buckets=STAGE_BUCKETS
)

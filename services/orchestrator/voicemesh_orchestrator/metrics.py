"""The orchestrator's metrics: one histogram a stage, turns by outcome."""

from prometheus_client import Counter, Gauge, Histogram

from voicemesh.enums import short_name
from voicemesh.metrics import STAGE_BUCKETS
from voicemesh.v1 import dialog_pb2


def _stage(name: str, text: str) -> Histogram:
    return Histogram(name, text, buckets=STAGE_BUCKETS)


ENDPOINT_WAIT = _stage("voicemesh_turn_endpoint_wait_seconds", "Last voiced sample to end of turn")
ASR_FINAL = _stage("voicemesh_turn_asr_final_seconds", "The recogniser's final pass")
LLM_FIRST_TOKEN = _stage(
    "voicemesh_turn_llm_first_token_seconds", "Question to first text of the reply"
)
FIRST_PIECE = _stage("voicemesh_turn_first_piece_seconds", "Question to first speakable piece")
TTS_FIRST_AUDIO = _stage("voicemesh_turn_tts_first_audio_seconds", "First piece to its first audio")
RESPONSE = _stage(
    "voicemesh_turn_response_seconds",
    "Last voiced sample (or typed text) to first reply audio sent",
)

TURNS = Counter("voicemesh_turns_total", "Turns by outcome", ["outcome"])
INTERRUPTIONS = Counter("voicemesh_interruptions_total", "Replies cut short", ["reason"])
STAGE_ERRORS = Counter("voicemesh_stage_errors_total", "Failed stages", ["stage", "code"])
CONVERSATIONS = Gauge("voicemesh_conversations", "Conversations under way")
SYNTHESIS_QUEUE = Gauge("voicemesh_reply_pieces_waiting", "Pieces that wait to be synthesised")
LATE_AUDIO = Counter(
    "voicemesh_reply_underruns_total", "Times that the speaker ran out of audio within a reply"
)

EAGER_REPLIES = Counter(
    "voicemesh_eager_replies_total",
    "Replies begun before the turn was over, by what became of it",
    ["outcome"],
)
EAGER_WASTED_TOKENS = Counter(
    "voicemesh_eager_wasted_tokens_total", "Tokens of discarded replies, as engines count", ["kind"]
)
EAGER_WASTED_AUDIO = Counter(
    "voicemesh_eager_wasted_audio_seconds_total", "Speech synthesised for discarded replies"
)

OVERLAPS = Counter(
    "voicemesh_overlaps_total", "What was said over a reply, by what it was taken for", ["verdict"]
)
FLOOR_MOVES = Counter("voicemesh_floor_moves_total", "Moves of the floor", ["transition", "reason"])


def count_floor_move(change: dialog_pb2.FloorChange) -> None:
    """Count how the floor has moved."""
    name = short_name(dialog_pb2.FloorTransition, change.transition)
    FLOOR_MOVES.labels(name, change.reason).inc()

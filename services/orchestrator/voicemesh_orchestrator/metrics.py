"""The orchestrator's metrics: one histogram a stage, turns by outcome."""

from prometheus_client import Counter, Gauge, Histogram

from voicemesh.metrics import STAGE_BUCKETS


def _stage(name: str, text: str) -> Histogram:
    return Histogram(f"voicemesh_turn_{name}_seconds", text, buckets=STAGE_BUCKETS)


ENDPOINT_WAIT = _stage("endpoint_wait", "Last voiced sample to end of turn")
ASR_FINAL = _stage("asr_final", "The recogniser's final pass")
LLM_FIRST_TOKEN = _stage("llm_first_token", "Question to first text of the reply")
FIRST_PIECE = _stage("first_piece", "Question to first speakable piece")
TTS_FIRST_AUDIO = _stage("tts_first_audio", "First piece to its first audio")
RESPONSE = _stage("response", "Last voiced sample (or typed text) to first reply audio sent")

TURNS = Counter("voicemesh_turns_total", "Turns by outcome", ["outcome"])
INTERRUPTIONS = Counter("voicemesh_interruptions_total", "Replies cut short", ["reason"])
STAGE_ERRORS = Counter("voicemesh_stage_errors_total", "Failed stages", ["stage", "code"])
CONVERSATIONS = Gauge("voicemesh_conversations", "Conversations under way")
SYNTHESIS_QUEUE = Gauge("voicemesh_reply_pieces_waiting", "Pieces that wait to be synthesised")
LATE_AUDIO = Counter(
    "voicemesh_reply_underruns_total", "Times that the speaker ran out of audio within a reply"
)

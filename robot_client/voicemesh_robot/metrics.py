"""Prometheus metrics of the robot."""

from prometheus_client import Counter, Gauge

LEVEL = Gauge("voicemesh_robot_microphone_level_dbfs", "Microphone, last second, dB full scale")
CLIPPED = Gauge("voicemesh_robot_microphone_clipped_ratio", "Clipped samples of the last second")
DEVICE_EVENTS = Counter(
    "voicemesh_robot_device_events_total", "Devices lost, back, or clipping", ["kind"]
)
UNDERRUNS = Counter(
    "voicemesh_robot_speaker_underruns_total", "Times that the speaker ran out of its buffers"
)
ECHO_DELAY = Gauge("voicemesh_robot_echo_delay_seconds", "From play-out to the microphone")
ECHO_RETURN_LOSS = Gauge(
    "voicemesh_robot_echo_return_loss_db", "How much weaker the echo arrives than it was played"
)
ECHO_CANCELLED = Gauge(
    "voicemesh_robot_echo_cancelled_db", "How much weaker the echo is after the canceller"
)
NO_SPEECH = Counter(
    "voicemesh_robot_signs_of_speech_refuted_total",
    "Pauses of playback at a first sign of speech that no speech followed",
)
LOCAL_PAUSES = Counter(
    "voicemesh_robot_local_pauses_total", "Pauses of playback because somebody spoke"
)

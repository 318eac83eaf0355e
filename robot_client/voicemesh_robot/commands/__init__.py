"""The commands of the client; their modules are imported when they are named."""

from voicemesh.commands.frame import Command

_READS = ("mesh", "robot")

ASK = Command(
    "ask",
    "ask a running mesh a question, spoken in a file or typed",
    "voicemesh_robot.commands.ask",
    sections=_READS,
)
TALK = Command(
    "talk",
    "talk with a running mesh by microphone and speaker",
    "voicemesh_robot.commands.talk",
    sections=_READS,
)
CONTROL = Command(
    "control",
    "run turns on a robot: listen, think, speak",
    "voicemesh_robot.commands.control",
    sections=_READS,
)
DEMO = Command(
    "demo",
    "start a mesh, ask it a spoken question, write its answer, stop it",
    "voicemesh_robot.commands.demo",
    sections=_READS,
)
DEVICES = Command(
    "devices",
    "list microphones and speakers",
    "voicemesh_robot.commands.devices",
    sections=_READS,
)
LISTEN_SERVICE = Command(
    "listen-service",
    "offer this robot's microphone and speaker to an orchestrator",
    "voicemesh_robot.commands.listen_service",
    sections=_READS,
)

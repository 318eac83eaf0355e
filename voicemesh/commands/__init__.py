"""The commands of the kit; their modules are imported when they are named."""

from voicemesh.commands.frame import Command

SERVE = Command("serve", "run one service in this process", "voicemesh.commands.serve")
UP = Command(
    "up", "run the services of this machine as supervised processes", "voicemesh.commands.up"
)
CONFIG = Command(
    "config",
    "print every setting, its value and where it came from",
    "voicemesh.commands.config",
)
PLAN = Command(
    "plan",
    "print cores and devices, which engine sits where, and what does not fit",
    "voicemesh.commands.plan",
)
DOCTOR = Command(
    "doctor",
    "look at what is installed and usable here, and name the cure for what is not",
    "voicemesh.commands.doctor",
    tolerant=True,
)
MODELS = Command(
    "models",
    "list the models that there are; pull, verify and remove them",
    "voicemesh.commands.models",
    sections=("mesh",),
)

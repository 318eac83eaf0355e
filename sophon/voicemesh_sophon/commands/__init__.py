"""The commands about Sophgo chips; their modules are imported when they are named."""

from voicemesh.commands.frame import Command

SERVE_CHIP = Command(
    "serve-chip",
    "own a Sophgo chip for the services of this machine",
    "voicemesh_sophon.commands.serve_chip",
    sections=("devices",),
)
FETCH_MODELS = Command(
    "fetch-models",
    "fetch model files for Sophgo chips from the vendor",
    "voicemesh_sophon.commands.fetch_models",
    sections=(),
)

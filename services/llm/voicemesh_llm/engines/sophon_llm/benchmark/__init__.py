"""``voicemesh bench token``; its modules are imported when it is named."""

from voicemesh.commands.frame import Command

TOKEN = Command(
    "token",
    "what a token of the engine sophon-llm costs the host, beside the chip",
    "voicemesh_llm.engines.sophon_llm.benchmark.command",
    sections=(),
)

"""The commands that measure; their modules are imported when they are named."""

from voicemesh.commands.frame import Command

BENCH = Command(
    "bench",
    "measure what a mesh adds to conversations, and how many it holds",
    "voicemesh_evaluation.commands.bench",
)
EVAL = Command("eval", "measured reports on the mesh itself", "voicemesh_evaluation.commands.eval")
REPLAY = Command(
    "replay",
    "feed a recorded conversation through a running mesh and compare",
    "voicemesh_evaluation.commands.replay",
    sections=("mesh", "robot"),
)

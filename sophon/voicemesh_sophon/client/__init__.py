"""What an engine uses of a Sophgo TPU, which it works on through the owner of the chip.

    with an engine's placement:  chip = Chip.open(placement)
                                 model = chip.load(path)
                                 ids = chip.tensor((1, 128), "int32")
                                 ...
                                 (wave,) = chip.run([Write(ids, array), Launch(...), Read(out)])
    what is done many times:     program = chip.prepare([Argument(ids), Launch(...), Read(out)])
                                 (wave,) = chip.run([Start(program, [array])])

``chip_owner`` is the process at the other end; docs/architecture.md tells why it exists.
"""

from voicemesh_sophon.client.bfloat16 import from_bfloat16, to_bfloat16
from voicemesh_sophon.client.chip import Chip
from voicemesh_sophon.client.file_nets import read_model
from voicemesh_sophon.client.fixed_question import FixedQuestion
from voicemesh_sophon.client.model import Model, Net, Slot
from voicemesh_sophon.client.programs import Argument, Program, Start
from voicemesh_sophon.client.steps import Copy, Fill, Launch, Read, Step, Write
from voicemesh_sophon.client.tensors import STORED, DeviceTensor

__all__ = [
    "STORED",
    "Argument",
    "Chip",
    "Copy",
    "DeviceTensor",
    "Fill",
    "FixedQuestion",
    "Launch",
    "Model",
    "Net",
    "Program",
    "Read",
    "Slot",
    "Start",
    "Step",
    "Write",
    "from_bfloat16",
    "read_model",
    "to_bfloat16",
]

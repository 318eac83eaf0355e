"""sail's interface, as far as the mesh uses it, over a simulated TPU.

The chip owner finds this package instead of the vendor's when it is told to use the
simulator. What it offers and with which signatures is in ``sail_interface.toml``.
It raises where sail writes a line to its log and goes on.
"""

from ..simulator.location import VERSION
from .engine import Engine
from .engine_llm import EngineLLM
from .errors import (
    DataTypeError,
    MemoryError,
    NotSupport,
    SailDeviceError,
    SailEngineError,
    SailTensorError,
)
from .handle import (
    Handle,
    get_available_tpu_num,
    get_board_temp,
    get_chip_temp,
    get_dev_stat,
    get_tpu_util,
)
from .tensor import Tensor
from .types import BmrtFlag, Dtype, IOMode

__all__ = [
    "BmrtFlag",
    "DataTypeError",
    "Dtype",
    "Engine",
    "EngineLLM",
    "Handle",
    "IOMode",
    "MemoryError",
    "NotSupport",
    "SailDeviceError",
    "SailEngineError",
    "SailTensorError",
    "Tensor",
    "get_available_tpu_num",
    "get_board_temp",
    "get_chip_temp",
    "get_dev_stat",
    "get_tpu_util",
]

__version__ = f"simulator of tpu_mlir {VERSION}"

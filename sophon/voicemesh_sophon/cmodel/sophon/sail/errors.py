"""The error classes of sail. The first three hide builtins' names only in this module."""


class MemoryError(Exception):
    """A copy between host and device that cannot be made."""


class NotSupport(Exception):
    """Something that this device or build cannot do."""


class DataTypeError(Exception):
    """Two tensors that should have one element type have two."""


class SailDeviceError(Exception):
    """The device cannot be opened or asked."""


class SailTensorError(Exception):
    """A tensor with a wrong shape, type, range or without the memory that is needed."""


class SailEngineError(Exception):
    """A bmodel that does not load, a graph that is not there, a launch that fails."""

"""The kit that every part of the mesh shares and no part owns."""

import os

# Our children are started by exec, never by a bare fork, so gRPC's fork handlers
# have nothing to protect; left on they warn at every child. gRPC reads this when
# it is first imported, which is after this line.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

__version__ = "0.1.0"

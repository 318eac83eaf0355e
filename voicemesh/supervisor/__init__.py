"""The supervisor: the services of a mesh as child processes of one.

All are started together, watched, restarted with back-off when they die, and
stopped together. ``voicemesh up`` is this in a terminal; Python uses
:class:`Mesh`.
"""

from voicemesh.supervisor.child import Child
from voicemesh.supervisor.events import MeshEvent
from voicemesh.supervisor.mesh import Mesh

__all__ = ["Child", "Mesh", "MeshEvent"]

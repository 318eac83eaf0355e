"""Sophgo TPUs: the client of a chip's owner, the owner, placement, the simulator.

Engines use ``voicemesh_sophon.client``. ``chip_owner`` is the process at the other end;
docs/architecture.md tells why it exists. Nothing is imported here, so that the commands
can be listed without numpy.
"""

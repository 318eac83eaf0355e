"""Device workers: engines run in a thread or a process of their own.

No model call ever runs on the event loop. A library that releases the GIL and
does not crash runs in a :class:`ThreadWorker`; one that holds the GIL, carries a
copyleft licence or may crash runs in a :class:`ProcessWorker`.
"""

from voicemesh.workers.pool import ProcessPool
from voicemesh.workers.process import ProcessWorker
from voicemesh.workers.thread import ThreadWorker

__all__ = ["ProcessPool", "ProcessWorker", "ThreadWorker"]

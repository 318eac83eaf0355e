"""A WAV file that can be read whenever it was flushed, also after a crash."""

from __future__ import annotations

import os
import struct
from pathlib import Path

HEADER_BYTES = 44
_RIFF_SIZE_AT = 4
_DATA_SIZE_AT = 40
_SAMPLE_BYTES = 2
_BUFFER_BYTES = 1 << 18
_HOLE_BYTES = 1 << 13
"""Silence from which on it is a hole in the file: the disk keeps whole blocks of it only."""


class GrowingWav:
    """Mono 16-bit samples at one rate. Every flush makes the header's sizes true.

    Long silence takes no room: where it stands, the file is sparse.
    """

    def __init__(self, path: Path, rate_hertz: int) -> None:
        """Create ``path``; FileExistsError where it exists."""
        self.samples = 0
        """The samples appended so far."""
        self._file = path.open("xb", buffering=_BUFFER_BYTES)
        self._ends_in_a_hole = False
        # RIFF/WAVE with a "fmt " chunk of PCM (1), one channel, and a "data" chunk.
        self._file.write(
            struct.pack(
                "<4sI4s4sIHHIIHH4sI",
                *(b"RIFF", HEADER_BYTES - 8, b"WAVE", b"fmt ", 16, 1, 1),
                *(rate_hertz, rate_hertz * _SAMPLE_BYTES, _SAMPLE_BYTES, 16, b"data", 0),
            )
        )

    def append(self, audio: bytes) -> None:
        """LINEAR16 samples, an even number of bytes."""
        self._file.write(audio)
        self._ends_in_a_hole = False
        self.samples += len(audio) // _SAMPLE_BYTES

    def append_silence(self, samples: int) -> None:
        """So many samples of nothing."""
        size = samples * _SAMPLE_BYTES
        if size < _HOLE_BYTES:
            self.append(bytes(size))
            return
        self._file.seek(size, os.SEEK_CUR)
        self._ends_in_a_hole = True
        self.samples += samples

    def flush(self) -> None:
        """Hand everything to the operating system, then say in the header how much it is."""
        self._file.flush()
        size = self.samples * _SAMPLE_BYTES
        descriptor = self._file.fileno()
        if self._ends_in_a_hole:  # Nothing has been written behind it yet.
            os.ftruncate(descriptor, HEADER_BYTES + size)
        os.pwrite(descriptor, struct.pack("<I", HEADER_BYTES - 8 + size), _RIFF_SIZE_AT)
        os.pwrite(descriptor, struct.pack("<I", size), _DATA_SIZE_AT)

    def close(self) -> None:
        """Flush and close; also where the disk refuses the rest."""
        try:
            self.flush()
        finally:
            self._file.close()

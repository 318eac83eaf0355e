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


class GrowingWav:
    """Mono 16-bit samples at one rate. Every flush makes the header's sizes true."""

    def __init__(self, path: Path, rate_hertz: int) -> None:
        """Create ``path``; FileExistsError where it exists."""
        self.samples = 0
        """The samples appended so far."""
        self._file = path.open("xb", buffering=_BUFFER_BYTES)
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
        self.samples += len(audio) // _SAMPLE_BYTES

    def append_silence(self, samples: int) -> None:
        """So many samples of nothing."""
        self.append(bytes(samples * _SAMPLE_BYTES))

    def flush(self) -> None:
        """Hand everything to the operating system, then say in the header how much it is."""
        self._file.flush()
        size = self.samples * _SAMPLE_BYTES
        descriptor = self._file.fileno()
        os.pwrite(descriptor, struct.pack("<I", HEADER_BYTES - 8 + size), _RIFF_SIZE_AT)
        os.pwrite(descriptor, struct.pack("<I", size), _DATA_SIZE_AT)

    def close(self) -> None:
        """Flush and close; also where the disk refuses the rest."""
        try:
            self.flush()
        finally:
            self._file.close()

"""What the vendor's error texts mean, and what helps.

The runtime prints its reasons on standard error and returns only that something
failed. Whoever sees such a text looks it up here, the first match counts. Sources:
the vendor's FAQ, public issues of sophon-demo and LLM-TPU, and runs on the simulator.

This module runs on Python 3.8, because the chip owner does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Symptom:
    """A known failure."""

    pattern: str
    """Regular expression that finds it in the vendor's output, in any case."""
    cause: str
    cure: str

    def __str__(self) -> str:
        """One clause for an error message."""
        return f"{self.cause}; {self.cure}"


MEMORY_CURE = (
    "take a smaller model or a shorter sequence, place a service on another chip "
    "(`voicemesh plan` adds up what each needs), or on a BM1684X SoC give the NPU more: "
    "memory_edit -c -npu 6616 -vpu 512 -vpp 3072, then reboot"
)
_NEWER_DRIVER = (
    "install driver and libsophon of the SDK that the model was made for (July 2024 or newer for "
    "present models), or fetch a model made for yours"
)
NOT_THE_VENDORS = (
    "the package sophon of this Python is not the vendor's: what has that name on package indexes "
    "is another one, without sail"
)
_SAME_SDK = "install the sail wheel of the SDK whose driver and libsophon are installed"

SYMPTOMS = (
    Symptom(
        r"gdma dst shouldn't be coeff",
        "the model is newer than driver and libsophon",
        _NEWER_DRIVER,
    ),
    Symptom(
        r"size \+ offset <= binary->size\(\)|File\[.*\] is broken|Bmodel data is broken",
        "the file is cut short or damaged",
        "fetch it again and compare its size with the source's",
    ),
    Symptom(
        r"bm_alloc_gmem|(device mem|coeff) alloc failed|don't alloc|bm_malloc_device|No memory",
        "the chip has too little free memory for it",
        MEMORY_CURE,
    ),
    Symptom(
        r"runtime arch|is not the same.*arch|arch.*is not the same",
        "the model was compiled for another chip",
        "fetch or compile the one for this chip; BM1684X and BM1688 files are not interchangeable",
    ),
    Symptom(
        r"kernel_module.*shouldn't be NULL|load library send api error|firmware_core",
        "the chip's firmware did not take the model's program: it hangs, or is older than that",
        "reboot and look at bm-smi; if it comes back, install a newer driver and libsophon. On a "
        "BM1688 point BMRUNTIME_USING_FIRMWARE at the libfirmware_core.so that came with the model",
    ),
    Symptom(
        r"has no attribute 'EngineLLM'",
        "this sail was built without EngineLLM, which history caches need",
        _SAME_SDK + "; 3.9.1 or newer has it",
    ),
    Symptom(
        r"from 'sophon' \((?!unknown location)|No module named 'sophon\.sail'",
        NOT_THE_VENDORS,
        "uninstall it (pip uninstall sophon) and install the wheel of your SDK, or set "
        "devices.owner_python to the Python that has that",
    ),
    Symptom(
        r"No module named 'sophon'|from 'sophon' \(unknown location\)",
        "this Python has no sophon.sail",
        "install the vendor's wheel for it, or set devices.owner_python to the Python that has it; "
        "on a machine without a chip set VOICEMESH_SOPHON=cmodel",
    ),
    Symptom(
        r"lib(bmlib|bmrt|bmcv|protobuf)[^ ]*: cannot open shared object",
        "the vendor's libraries are not found",
        "install libsophon and add /opt/sophon/libsophon-current/lib to /etc/ld.so.conf.d",
    ),
    Symptom(
        r"GLIBC_2\.\d+' not found|GLIBCXX_[\d.]+' not found",
        "a library was built for a newer system",
        "use a newer distribution; the simulator needs glibc 2.34 (Debian 12, Ubuntu 22.04)",
    ),
    Symptom(
        r"undefined symbol|symbol lookup error",
        "sail and the installed libsophon are of different SDKs",
        _SAME_SDK,
    ),
    Symptom(
        r"numpy\.core\.multiarray failed to import|compiled using NumPy 1\.x",
        "this sail was built for NumPy 1",
        "pip install 'numpy<2' into the Python that devices.owner_python names",
    ),
    Symptom(
        r"open /dev/bm|bm_dev_request|init device failure|bm_dev_query",
        "the chip cannot be opened",
        "look whether /dev/bm-sophon0 (SoC: /dev/bm-tpu0) is there and yours to read and write, "
        "whether the driver is loaded (bm-smi), and whether devices.*.card and chip are right",
    ),
    Symptom(
        r"wrong gdma type",
        "the runtime has let models of one process write over each other",
        "give each service a chip of its own (on the simulator: devices.simulated_chips)",
    ),
    Symptom(
        r"memcopy failed",
        "the driver could not copy between memory and chip",
        "load the model again: some runtimes copy from behind the end of their arrays while they "
        "load networks with a dynamic part, which fails once in very many loads; if it comes back, "
        "look at bm-smi and dmesg",
    ),
    Symptom(
        r"bm_thread_sync|sync fail|api timeout|bm_send_api failed|tpu[- ]?hang",
        "the chip does not answer",
        "look at bm-smi and dmesg; reboot the board, or power-cycle the card",
    ),
)


def explain(text: str) -> Symptom | None:
    """The first known failure that ``text``, output of the vendor's libraries, shows."""
    for symptom in SYMPTOMS:
        if re.search(symptom.pattern, text, re.IGNORECASE):
            return symptom
    return None


def explained(text: str) -> str:
    """``text`` itself, with cause and cure where they are known."""
    symptom = explain(text)
    if symptom is None or symptom.cause in text:  # Who passed it on has explained it.
        return text.strip()
    return f"{text.strip()} ({symptom})"

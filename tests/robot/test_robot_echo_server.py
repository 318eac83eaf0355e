"""PulseAudio's own echo canceller, loaded as docs/robot.md says, takes the echo out."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pytest

from voicemesh.audio import Samples

from .pulse_audio import RATE_HERTZ, PulseAudio

log = logging.getLogger(__name__)
Speech = Callable[..., Samples]
REPLY = (
    "mars is the fourth planet from the sun. it is cold and red, and it has two small moons. "
    "nobody has been there yet. the speed of light is about three hundred thousand kilometres "
    "a second, and nothing is known to be faster"
)
# A busy machine tears holes into both streams, in which nothing can be learnt.
LEAST_DB = 6.0


def level_db(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2) + 1e-9))


@pytest.mark.long
@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("webrtc", '"analog_gain_control=0 digital_gain_control=0"'),
        ("speex", ""),
    ],
)
@pytest.mark.asyncio(loop_scope="session")
async def test_module_echo_cancel_takes_the_reply_out_of_the_microphone(
    pulse: PulseAudio, flite_speech: Speech, method: str, arguments: str
) -> None:
    await pulse.control(
        "load-module",
        "module-loopback",
        *("source=speaker.monitor", "sink=micfeed", "latency_msec=60"),
    )
    await pulse.control("set-sink-volume", "micfeed", "-12dB")
    await pulse.control(
        "load-module",
        "module-echo-cancel",
        f"aec_method={method}",
        *("source_name=echo-cancel-mic", "sink_name=echo-cancel-speaker"),
        *("source_master=mic", "sink_master=speaker"),
        *([f"aec_args={arguments}"] if arguments else []),
    )
    reply = flite_speech(REPLY, "slt")
    async with (
        pulse.recording("mic") as microphone,
        pulse.recording("echo-cancel-mic") as cleaned,
    ):
        await microphone.running()
        await cleaned.running()
        await pulse.say(reply, "echo-cancel-speaker")
        heard = await microphone.wait_for_silence()
        left = cleaned.samples
    # The canceller learns in the first half; the streams end with silence.
    count = len(reply) // 2 + RATE_HERTZ
    heard_db, left_db = level_db(heard[-count:]), level_db(left[-count:])
    gone_db = heard_db - left_db
    log.info("%s: %.1f dB heard, %.1f cancelled, %.1f less", method, heard_db, left_db, gone_db)
    assert gone_db > LEAST_DB

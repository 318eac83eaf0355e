"""Who goes first on a chip: through the real owner, over a chip that waits for the test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from voicemesh.errors import Unavailable
from voicemesh_sophon.chip_owner.scheduler import Scheduler
from voicemesh_sophon.client import Launch, Model, Read, Start

from .owners import ScriptedOwner

Scripted = Callable[..., ScriptedOwner]
BERT = "vits/bm1688/bert_f16_1core.bmodel"
BERT_ON_BOTH = "vits/bm1688/bert_f16_2core.bmodel"


class Client:
    """A service's engine that launches one network, in a thread of its own."""

    def __init__(
        self, owner: ScriptedOwner, service: str, file: Path, cores: tuple[int, ...] = (0,)
    ) -> None:
        self.chip = owner.open(service, cores)
        self.model: Model = self.chip.load(file)
        (net,) = self.model.nets.values()
        inputs = [self.chip.tensor(slot.shape, slot.dtype) for slot in net.inputs]
        self.output = self.chip.tensor(net.outputs[0].shape, net.outputs[0].dtype)
        self.launch = Launch(net, inputs, [self.output])
        self.done = threading.Event()

    def start(self, launches: int = 1, prepared: bool = False) -> Client:
        """``prepared``: as a program."""
        steps: list[Launch] | list[Start] = [self.launch] * launches
        if prepared:
            steps = [Start(self.chip.prepare([self.launch] * launches))]
        threading.Thread(target=self._run, args=(steps,), daemon=True).start()
        return self

    def _run(self, steps: list[Launch] | list[Start]) -> None:
        with suppress(Unavailable):  # The test ends in the middle.
            self.chip.run(steps)
            self.done.set()


def _waiting(owner: ScriptedOwner, **expected: int) -> None:
    """Wait until as many steps of each service wait for their turn."""
    while any(owner.news()["waiting"][service] != n for service, n in expected.items()):
        threading.Event().wait(0.01)  # The owner tells the state of its queue to who asks.


def test_a_recogniser_goes_before_a_voice_and_a_voice_before_a_language_model(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted(gated=True)
    llm, tts, asr = (Client(owner, name, assets / BERT) for name in ("llm", "tts", "asr"))
    llm.start(launches=2)
    running = owner.began()  # Of the language model; all others come later.
    _waiting(owner, llm=0)
    tts.start()
    _waiting(owner, tts=1)
    asr.start()
    _waiting(owner, asr=1)
    for client in (asr, tts, llm):
        running.end()
        running = owner.began()
        _waiting(owner, asr=0, tts=int(client is asr), llm=int(client is not llm))
    running.end()
    assert llm.done.wait(10)
    assert tts.done.wait(10)
    assert asr.done.wait(10)


def test_nobody_waits_longer_than_one_launch_of_somebody_less_urgent(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted(gated=True)
    llm, asr = Client(owner, "llm", assets / BERT), Client(owner, "asr", assets / BERT)
    llm.start(launches=50)
    running = owner.began()
    asr.start()
    _waiting(owner, asr=1)
    running.end()
    owner.began().end()  # The recogniser's, and not one of the 49 others.
    assert asr.done.wait(10)
    assert not llm.done.is_set()


def test_a_request_goes_on_before_somebody_less_urgent(scripted: Scripted, assets: Path) -> None:
    owner = scripted(gated=True)
    llm, asr = Client(owner, "llm", assets / BERT), Client(owner, "asr", assets / BERT)
    asr.start(launches=3)
    running = owner.began()
    llm.start()
    _waiting(owner, llm=1)
    for _ in range(2):
        running.end()
        running = owner.began()
        assert owner.news()["waiting"]["llm"] == 1  # It is the recogniser's again.
    running.end()
    assert asr.done.wait(10)
    owner.began().end()
    assert llm.done.wait(10)


def test_a_program_lets_the_more_urgent_in_after_each_of_its_launches(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted(gated=True)
    llm, asr = Client(owner, "llm", assets / BERT), Client(owner, "asr", assets / BERT)
    llm.start(launches=3, prepared=True)
    running = owner.began()
    for left in (2, 1):
        asr.done.clear()
        asr.start()
        _waiting(owner, asr=1)
        running.end()
        running = owner.began()  # The recogniser's.
        _waiting(owner, asr=0, llm=1)
        running.end()
        assert asr.done.wait(10)
        running = owner.began()
        launches = owner.news()["services"]["llm"]["launches"]["bert"]
        assert sum(launches["counts"]) == 3 - left
    running.end()
    assert llm.done.wait(10)


def test_launches_on_different_cores_run_at_the_same_time(scripted: Scripted, assets: Path) -> None:
    owner = scripted(gated=True)
    asr = Client(owner, "asr", assets / BERT, cores=(0,))
    tts = Client(owner, "tts", assets / BERT, cores=(1,))
    both = Client(owner, "llm", assets / BERT_ON_BOTH, cores=(0, 1))
    asr.start()
    first = owner.began()
    assert first.what == "bert [0]"
    tts.start()
    second = owner.began()  # While the first has not ended.
    assert second.what == "bert [1]"
    both.start()
    _waiting(owner, llm=1)
    first.end()
    second.end()
    assert asr.done.wait(10)
    assert tts.done.wait(10)
    third = owner.began()
    assert third.what == "bert [0, 1]"
    third.end()
    assert both.done.wait(10)


def test_a_client_that_dies_in_a_launch_leaves_the_chip_to_the_others(
    scripted: Scripted, assets: Path
) -> None:
    owner = scripted(gated=True)
    dying, other = Client(owner, "asr", assets / BERT), Client(owner, "tts", assets / BERT)
    dying.start(launches=1)
    running = owner.began()
    other.start()
    _waiting(owner, tts=1)
    dying.chip.close()
    running.end()
    owner.began().end()
    assert other.done.wait(10)
    while [client["service"] for client in owner.news()["clients"]] != ["tts"]:
        threading.Event().wait(0.01)  # Its memory is freed when its own thread gets to it.
    (array,) = other.chip.run([Read(other.output)])
    assert np.all(array == 7)


def test_equals_take_turns_in_the_order_they_came() -> None:
    scheduler, order = Scheduler(), list[str]()
    cores = frozenset({0})
    threads = []

    def take(name: str, priority: int) -> None:
        with scheduler.turn(priority, cores, name):
            order.append(name)

    with scheduler.turn(0, cores, "all"):
        waiting = [0, 0, 0]
        for name, priority in (("a", 1), ("b", 2), ("c", 1), ("d", 0), ("e", 2)):
            threads.append(threading.Thread(target=take, args=(name, priority)))
            threads[-1].start()
            waiting[priority] += 1
            while scheduler.waiting(priority) != waiting[priority]:
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join(10)
    assert order == ["d", "a", "c", "b", "e"]

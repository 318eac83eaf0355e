"""Launches with all that they need at hand: looked up once, run as often as a program starts."""

from __future__ import annotations

from typing import Any, Callable, Sequence

from .chip_contents import Place
from .counters import Counters
from .launch_proof import LaunchProof
from .place_tensors import PlaceTensors
from .steps import Launch


class BoundLaunch:
    """A launch with its tensors; holds what it refers to until it is dropped itself."""

    def __init__(
        self,
        launch: Launch,
        service: str,
        tensors: PlaceTensors,
        proofs: LaunchProof,
        counters: Counters,
    ) -> None:
        """See ``Binder.bind``."""
        net = launch.net.name
        self.launch = launch
        self.holds = launch.holds
        self.what = f"{service}: a launch of {net}"
        self.proof = proofs.of(launch.number, net)
        self.counts = counters.launches(service, net)
        self.tensors = tensors
        self.in_place = tensors.in_place(launch) if launch.moves else None
        """Of most launches that move: sail is given the same but for views of outputs."""
        self.run: Callable[[], None] = (
            tensors.launcher(launch) if self.in_place is None else self.in_place.launch
        )


class MovingLaunches:
    """The launches of a program that are not the same at every position."""

    def __init__(self, launches: Sequence[BoundLaunch]) -> None:
        """All of one client."""
        self._whole = [bound for bound in launches if bound.in_place is None]
        self._outputs: list[tuple[dict[Any, Any], Any]] = []
        moving: list[Place] = []
        for bound in launches:
            if bound.in_place is not None:
                numbers = [n for n, place in enumerate(bound.launch.outputs) if place.stride]
                self._outputs += [bound.in_place.output(number) for number in numbers]
                moving += [bound.launch.outputs[number] for number in numbers]
        self._views = launches[0].tensors.moving_views(moving) if moving else None

    def prepared(self, position: int) -> tuple[list[Any], list[Callable[[], None]]]:
        """What it takes to run them at a position: sail makes views one by one."""
        views = self._views(position) if self._views is not None else []
        return views, [bound.tensors.launcher(bound.launch.at(position)) for bound in self._whole]

    def aim(self, views: list[Any], runs: list[Callable[[], None]]) -> None:
        """Run them from now on by what has been prepared."""
        for (outputs, name), view in zip(self._outputs, views):
            outputs[name] = view
        for bound, run in zip(self._whole, runs):
            bound.run = run


class Aim:
    """The step of a program's start that has its launches run at its position."""

    def __init__(self, launches: MovingLaunches, position: int) -> None:
        """Prepares them for it."""
        self.position = position
        self._launches = launches
        self._prepared = launches.prepared(position)

    def take(self) -> None:
        """From now on they do."""
        self._launches.aim(*self._prepared)


class Binder:
    """Binds the launches of one client."""

    def __init__(
        self, service: str, tensors: PlaceTensors, proofs: LaunchProof, counters: Counters
    ) -> None:
        """All of them are the client's."""
        self._with = service, tensors, proofs, counters

    def bind(self, launch: Launch) -> BoundLaunch:
        """The launch with its tensors."""
        return BoundLaunch(launch, *self._with)

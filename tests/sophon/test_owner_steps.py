"""Which steps of a request stay together on a chip that several share."""

from __future__ import annotations

from pathlib import Path

from voicemesh_sophon.chip_owner.bmodel_file import read_bmodel
from voicemesh_sophon.chip_owner.chip_contents import Memory, Model, Place
from voicemesh_sophon.chip_owner.sail_chip import LoadedModel
from voicemesh_sophon.chip_owner.step_reader import joined
from voicemesh_sophon.chip_owner.steps import Copy, Launch


def test_copies_to_the_runtimes_own_memory_are_made_in_the_turn_of_the_launch(
    assets: Path,
) -> None:
    file = read_bmodel(str(assets / "vits/bm1688/bert_f16_1core.bmodel"))
    model = Model(LoadedModel(), [file], 0)
    launch = Launch(1, model, file.nets[0], 0, [], [], (), frozenset({0}))
    cache, runtimes = (
        Place(Memory(None, (8,), "float16", model=owner), (8,), 0) for owner in (0, 1)
    )
    fill, keep = Copy(cache, runtimes), Copy(runtimes, cache)
    assert joined([keep, fill, fill, launch, keep]) == [
        keep,
        Launch(1, model, file.nets[0], 0, [], [], (), frozenset({0}), (fill, fill)),
        keep,
    ]
    assert joined([fill, keep, launch, fill]) == [fill, keep, launch, fill]

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voicemesh.stamps import StampGate, label, order
from voicemesh.v1.common_pb2 import Stamp

numbers = st.integers(0, 3)
stamps = st.builds(Stamp, epoch=numbers, turn=numbers, revision=numbers, attempt=numbers)


@given(st.lists(stamps))
def test_a_gate_admits_exactly_what_is_not_older_than_all_before(seen: list[Stamp]) -> None:
    gate = StampGate()
    newest = (0, 0, 0, 0)
    for stamp in seen:
        assert gate.is_current(stamp) == (order(stamp) >= newest)
        assert gate.admit(stamp) == (order(stamp) >= newest)
        newest = max(newest, order(stamp))
        assert order(gate.newest) == newest


def test_epoch_outranks_turn_outranks_revision_outranks_attempt() -> None:
    rising = [
        Stamp(epoch=1, turn=9, revision=9, attempt=9),
        Stamp(epoch=2, turn=1, revision=9, attempt=9),
        Stamp(epoch=2, turn=2, revision=1, attempt=9),
        Stamp(epoch=2, turn=2, revision=2, attempt=1),
        Stamp(epoch=2, turn=2, revision=2, attempt=2),
    ]
    assert sorted([*rising[3:], *rising[:3]], key=order) == rising


def test_a_label_reads_from_epoch_to_attempt() -> None:
    assert label(Stamp(epoch=1, turn=2, revision=3, attempt=4)) == "1.2.3.4"

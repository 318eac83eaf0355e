"""Sophgo chips as a kind of device that engines can work on.

Announced under ``voicemesh.devices``; what does the work is imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voicemesh.devices import DeviceKind, DeviceOutline, DeviceTrial
from voicemesh.registry import Probe

if TYPE_CHECKING:
    from pathlib import Path

    from voicemesh.check import Check
    from voicemesh.settings import Settings
    from voicemesh_sophon.planned_owner import PlannedChipOwner
    from voicemesh_sophon.service_chip import ServiceChip

_CURE = "VOICEMESH_SOPHON=cmodel simulates a chip; for a real one install the vendor's sophon.sail"


class SophonDevices(DeviceKind):
    """The chips that ``[devices]`` is about."""

    folder_setting = "devices.socket_folder"

    def watch(self, settings: Settings, service: str) -> ServiceChip:
        """See DeviceKind."""
        from voicemesh_sophon.placing.placement import placement_of
        from voicemesh_sophon.service_chip import ServiceChip

        return ServiceChip(placement_of(settings, service))

    def owners(self, settings: Settings, services: Sequence[str]) -> Sequence[PlannedChipOwner]:
        """See DeviceKind: one for each chip that an engine of these services sits on."""
        from voicemesh_sophon.placing.placement import devices_of, placement_of
        from voicemesh_sophon.planned_owner import PlannedChipOwner

        chips = {placement_of(settings, service).device for service in services}
        return [PlannedChipOwner(chip, devices_of(settings)) for chip in sorted(chips)]

    def warnings(self, settings: Settings) -> Sequence[str]:
        """See DeviceKind."""
        from voicemesh_sophon.placing.placement import placement_findings

        found = placement_findings(settings)
        return [f"{one.field}: {one.text}" for one in found if one.severity == "warn"]

    def probe(self, settings: Settings) -> Probe:
        """See DeviceKind: a chip is simulated, or the vendor's library may find a real one."""
        from voicemesh_sophon.chip_owner.vendor_errors import NOT_THE_VENDORS
        from voicemesh_sophon.devices import has_other_sophon, has_sail
        from voicemesh_sophon.placing.placement import devices_of

        devices = devices_of(settings)
        if devices.simulated or devices.owner_python is not None or has_sail():
            return Probe(True, "`voicemesh plan` shows the chips")
        if has_other_sophon():
            return Probe(False, NOT_THE_VENDORS, f"pip uninstall sophon; {_CURE}")
        return Probe(False, "no Sophgo chip can be used here", _CURE)

    def outline(self, settings: Settings, inventory: Path | None) -> DeviceOutline:
        """See DeviceKind: the chips are asked where no file describes them."""
        from voicemesh_sophon.checking.plan_report import outline

        return outline(settings, inventory)

    def try_out(self, settings: Settings, checked: Sequence[Check]) -> DeviceTrial:
        """See DeviceKind: open each chip, launch a net, load the chosen engines."""
        from voicemesh_sophon.checking.checks import trial

        return trial(settings, checked)


SOPHON = SophonDevices()

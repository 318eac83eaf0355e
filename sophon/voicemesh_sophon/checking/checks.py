"""What ``voicemesh doctor`` says about chips: without opening one, and by trying all out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voicemesh.check import Check, Verdict
from voicemesh.devices import DeviceTrial
from voicemesh.errors import SettingsError
from voicemesh.settings import Settings
from voicemesh_sophon.checking.chip_report import report
from voicemesh_sophon.checking.probing import best_inventory
from voicemesh_sophon.checking.self_test import try_chips
from voicemesh_sophon.devices import DevicesSettings, has_sail
from voicemesh_sophon.placing.inventory import NODES, inventory_of
from voicemesh_sophon.placing.placement import devices_of, on_chip_engines
from voicemesh_sophon.placing.placement_check import Finding
from voicemesh_sophon.placing.plan import device_plan

_VERDICTS: dict[str, Verdict] = {"note": "ok", "warn": "warn", "fail": "fail"}


def placement_checks(settings: Settings) -> list[Check]:
    """Where the chosen engines that run on a chip sit; none where there are none."""
    if not on_chip_engines(settings):
        return []
    try:
        plan = device_plan(settings, inventory_of(devices_of(settings)))
    except SettingsError as error:
        return [Check("inventory", "fail", str(error), "correct the file that is named")]
    placed = [
        Check(
            tenant.service,
            "ok",
            f"{tenant.engine} on {tenant.entry.name}, about {tenant.need_mb} MiB; "
            "`voicemesh plan` tells more, `voicemesh doctor --tpu` tries it out",
        )
        for tenant in plan.tenants
        if tenant.entry is not None
    ]
    return [*placed, *finding_checks(plan.findings)]


def finding_checks(findings: Sequence[Finding]) -> list[Check]:
    """Findings as the doctor prints them. Their texts end with the cure."""
    return [Check(one.field, _VERDICTS[one.severity], one.text) for one in findings]


def chip_checks(settings: Settings) -> list[Check]:
    """The chips among this machine's devices, and the vendor's library."""
    nodes = [
        Check(node.name, "ok", "a Sophgo device")
        for pattern in NODES
        for node in sorted(Path("/dev").glob(pattern))
    ]
    return [*nodes, _sail_check(devices_of(settings))]


def _sail_check(devices: DevicesSettings) -> Check:
    """Where the owners of chips find sail; `doctor --tpu` tries it."""
    if devices.simulated:
        kind = devices.simulated_chip.upper()
        return Check("sophon.sail", "ok", f"a simulator of the {kind} stands in for it")
    if devices.owner_python is not None:
        tried = "`voicemesh doctor --tpu` tries it"
        return Check("sophon.sail", "ok", f"expected in {devices.owner_python}; {tried}")
    if has_sail():
        return Check("sophon.sail", "ok", "installed")
    cure = (
        "only Sophgo chips need it; install it from the vendor's SDK that belongs to the chip's "
        "driver, never from a package index: what goes by that name there is not the vendor's. "
        "It may be in another Python that devices.owner_python names"
    )
    return Check("sophon.sail", "warn", "not installed: no TPU can be used", cure)


def trial(settings: Settings, checked: Sequence[Check]) -> DeviceTrial:
    """Try all chips out, and the services placed on them; ``checked``: of the settings."""
    plan = device_plan(settings, best_inventory(settings))
    placement = finding_checks(plan.findings)
    if not plan.inventory.chips:
        cure = "look at bm-smi and dmesg; VOICEMESH_SOPHON=cmodel simulates a chip"
        placement.append(Check("chips", "fail", f"none: {plan.inventory.source}", cure))
    tests = list(try_chips(settings, plan))
    found = {test.entry.name: list(test.checks) for test in tests}
    if placement:
        found = {"placement": placement, **found}
    return DeviceTrial(found, report(plan, tests, checked))

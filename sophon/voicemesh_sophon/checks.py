"""What ``voicemesh doctor`` says about placements, without opening a chip."""

from __future__ import annotations

from collections.abc import Sequence

from voicemesh.check import Check, Verdict
from voicemesh.errors import SettingsError
from voicemesh.settings import Settings
from voicemesh_sophon.inventory import inventory_of
from voicemesh_sophon.placement import devices_of, on_chip_engines
from voicemesh_sophon.placement_check import Finding
from voicemesh_sophon.plan import device_plan

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

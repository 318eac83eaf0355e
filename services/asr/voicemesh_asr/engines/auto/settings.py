"""Settings of the choice by languages."""

from voicemesh.settings import Section


class AutoSettings(Section):
    """``[asr.auto]``: nothing but mesh.languages counts."""

"""Environment variables with names of their own, and the settings that they are short for."""

BACKEND = "devices.backend"
"""``VOICEMESH_SOPHON``: one changes it from run to run."""
SIMULATED_CHIP = "devices.simulated_chip"
"""``VOICEMESH_SOPHON_CHIP``."""
SIMULATOR = ""
"""``VOICEMESH_SOPHON_SIMULATOR``: no setting; the simulator reads it by itself."""

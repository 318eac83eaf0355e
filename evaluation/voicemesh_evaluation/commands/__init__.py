"""Sub-commands of ``voicemesh``."""

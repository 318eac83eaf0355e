"""The orchestrator: one conversation a client, one turn after the other."""

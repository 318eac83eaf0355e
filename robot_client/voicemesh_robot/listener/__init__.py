"""The robot's gRPC service: its microphone and its loudspeaker for an orchestrator."""

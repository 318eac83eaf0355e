"""What `voicemesh doctor` finds out about chips."""

"""What ``voicemesh doctor`` looks at and tries out."""

"""Voice activity: which samples are speech."""

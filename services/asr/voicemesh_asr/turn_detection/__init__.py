"""Has the speaker finished? Decided from voice activity and the running text."""

"""What a robot hears and plays: microphone, speaker, and their one clock."""

"""From written text to words that a voice can say, with the way back to the source."""

"""How Mandarin is read: words, readings, tones, foreign words; whoever speaks it then."""

"""Speech synthesis: text in, audio with the words that it says out."""

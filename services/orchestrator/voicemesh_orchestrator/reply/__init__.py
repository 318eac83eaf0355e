"""One reply: from the question to the audio that was heard."""

"""Microphones and loudspeakers: sound cards, files, and memory behind one small protocol."""

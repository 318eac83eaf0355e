"""Speech recognition: audio in; transcripts and the turns of a speaker out."""

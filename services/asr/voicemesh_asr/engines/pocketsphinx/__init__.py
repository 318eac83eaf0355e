"""PocketSphinx: the embedded default. It hears English only."""

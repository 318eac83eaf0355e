"""Language model engines, a folder each."""

"""Language model engines, one package or file each."""

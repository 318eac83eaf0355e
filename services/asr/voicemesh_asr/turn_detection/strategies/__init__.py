"""How much silence ends a turn? One strategy a file; the first with an opinion counts."""

"""What may be found: search spaces, as architectures with undecided merges."""

"""Functions that return a complete, frozen configuration; nothing else."""

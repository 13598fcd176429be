"""Losses, each by name: where truth meets prediction, and nowhere else."""

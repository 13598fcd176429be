"""Figures with intervals, and comparisons that say what they can't tell."""

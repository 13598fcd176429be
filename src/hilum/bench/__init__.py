"""Benchmarks: speed and accuracy beside peers, in one run, as a dated report."""

"""Learning: one frozen configuration a run, on PyTorch Lightning."""

"""Using a network: whole pictures, test-time augmentation, thresholds, masks and nodules out."""

"""Networks, each by name. Their `forward` takes inputs only and returns named logits."""

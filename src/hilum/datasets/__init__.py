"""Who outlined what, and who may be learnt from."""

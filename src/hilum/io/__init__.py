"""Files in, files out. Orientation is converted here, once."""

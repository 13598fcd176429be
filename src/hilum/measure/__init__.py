"""The size of a nodule from its mask."""

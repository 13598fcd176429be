"""Why a network marked what it did: maps of where it looked, and whether they can be believed."""

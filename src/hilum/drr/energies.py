"""The photon energies of a chest X-ray and of a CT."""

CT_KEV = 70.0
"""Effective energy of a CT at 120 kVp, at which its HU were measured."""

RADIOGRAPH_KEV = 65.0
"""Effective energy of a chest radiograph at 110 to 125 kVp behind the patient's first centimetres."""

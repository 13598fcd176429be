"""hilum follows lung nodules from the first CT to the last chest X-ray.

The rooms, from the ground up: `core` (the types), `ops`, `measure` and `io`, `datasets`, `report`, `workflows`, `cli`.
Importing `hilum` does nothing but name the version.
"""

__version__ = "0.1.0"

"""hilum follows lung nodules from the first CT to the last chest X-ray.

The rooms, from the ground up: `core` (the types), `config`, `ops`; then `measure`, `io`, `metrics`, `models` and
`losses`, which don't know each other; `drr`, `datasets`, `report`, `evaluate` and `followup`, `infer`, `explain`,
`train`, `recipes`, `workflows`, `bench`, `cli`. Importing `hilum` does nothing but name the version.
"""

__version__ = "0.1.0"

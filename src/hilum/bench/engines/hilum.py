"""hilum's own projector: "attenuation" from a volume in 1/mm, as peers get it; "ct" from HU, the way to the picture."""

from pathlib import Path

from .worker import Project, Scene, serve


def main(folder: Path, variant: str) -> None:
    """Run one variant."""
    import numba

    import hilum
    from hilum.drr import slabs

    del slabs  # what they bring is part of the idle process, not of the work
    versions = {"hilum": hilum.__version__, "numba": numba.__version__}
    serve(folder, _prepare_ct if variant == "ct" else _prepare, versions)


def _prepare(scene: Scene) -> Project:
    from hilum.core import Quantity, Volume
    from hilum.drr.joseph import project_joseph

    volume = Volume(scene.attenuation(), scene.geometry(), Quantity.ATTENUATION)
    projection = scene.projection()
    return lambda: project_joseph(volume, projection)


def _prepare_ct(scene: Scene) -> Project:
    from hilum.core import Volume
    from hilum.drr.slabs import project_ct

    ct, projection = Volume(scene.hu(), scene.geometry()), scene.projection()
    return lambda: project_ct(ct, projection)

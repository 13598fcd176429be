"""Who takes part: hilum, its peers, and the floor."""

from dataclasses import dataclass

from hilum.drr.projection import Beam

PEERS_FILE = "benchmarks/peers.txt"


@dataclass(frozen=True)
class Engine:
    """One way to make the picture.

    Attributes:
        name: in the report.
        module: in `hilum.bench.engines`.
        variant: what the module is told.
        beams: which beams it can do.
        install: what to do where it is absent.
        is_peer: another project's, run by the peers' interpreter.
        is_slow: only taken when asked for.
        note: what a reader must know to compare.
    """

    name: str
    module: str
    variant: str
    beams: tuple[Beam, ...] = (Beam.CONE,)
    install: str = ""
    is_peer: bool = True
    is_slow: bool = False
    note: str = ""


BOTH = (Beam.CONE, Beam.PARALLEL)
_PIP = f"PYTHON -m pip install -r {PEERS_FILE}, then --peers PYTHON"

HILUM = Engine("hilum", "hilum", "attenuation", BOTH, is_peer=False, note="from a volume in 1/mm, as the peers get it")
HILUM_CT = Engine("hilum, from HU", "hilum", "ct", BOTH, is_peer=False, note="HU to attenuation counts as well")
HILUM_TORCH = tuple(
    Engine(
        f"hilum, PyTorch on {device}",
        "hilum_torch",
        device,
        BOTH,
        "a build of torch for CUDA, and a CUDA device" if device == "cuda" else "pip install torch",
        is_peer=False,
        note="the projector with gradients, here without",
    )
    for device in ("cpu", "cuda")
)
FLOORS = (
    Engine("floor, int16", "floor", "int16", BOTH, is_peer=False, note="one pass over the volume's bytes, all cores"),
    Engine("floor, float32", "floor", "float32", BOTH, is_peer=False, note="the same over attenuation"),
)
PEERS = (
    Engine("ITK-RTK Joseph", "rtk", "", BOTH, _PIP),
    Engine(
        "plastimatch exact",
        "plastimatch",
        "exact",
        install="apt install plastimatch",
        note="a command: its start, reading the volume and writing the picture count as well",
    ),
    Engine("plastimatch uniform", "plastimatch", "uniform", install="apt install plastimatch", note="likewise"),
    Engine("DiffDRR trilinear", "diffdrr", "trilinear", install=_PIP, note="500 points a ray, patches of 128² pixels"),
    Engine("DiffDRR Siddon", "diffdrr", "siddon", install=_PIP, is_slow=True, note="patches of 128² pixels"),
    Engine("ASTRA 2D", "astra", "", (Beam.PARALLEL,), _PIP, note="slice by slice, one thread; its 3D needs CUDA"),
)


def taking_part(*, slow: bool) -> tuple[Engine, ...]:
    """Everyone, in the order of the rounds."""
    return (HILUM, HILUM_CT, *HILUM_TORCH, *FLOORS, *(peer for peer in PEERS if slow or not peer.is_slow))

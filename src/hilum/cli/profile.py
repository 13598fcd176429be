"""`hilum profile`."""

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from hilum.cli.exit_code import checked_options
from hilum.cli.sizes import size_yx

if TYPE_CHECKING:
    from hilum.infer.energy import Energy
    from hilum.workflows.profile import Profile

_MILLION = 1e6


def profile(
    model: str,
    /,
    *,
    size: str = "512x512",
    threads: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    batch: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    device: Literal["auto", "cpu", "cuda"] = "cpu",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Measure what a network costs: parameters, multiply-accumulates, time, memory and energy of a picture.

    Time and memory are measured in a process of its own, on random pictures: what a network costs doesn't depend on
    what it sees. Energy is read from the machine's counters where there are any, else modelled, and said so.

    ```
    hilum profile xray --size 512x512
    hilum profile unet --size 256x256 --threads 2
    hilum profile exported --json > profile.json
    ```

    Parameters
    ----------
    model
        A network (from scratch) or a trained model by name (hilum models), or the folder of one that hilum train or
        hilum export has made.
    size
        Of the pictures, HEIGHTxWIDTH.
    threads
        Of the processor; no more are used.
    batch
        Pictures at a time.
    device
        Where the network runs.
    json
        Print JSON for programs.
    """
    from hilum.io.json_file import to_json
    from hilum.workflows.profile import ProfileOptions, run_profile

    with checked_options():
        options = ProfileOptions(size_yx(size), threads, batch, device)
    found = run_profile(model, options)
    if json:
        print(to_json(found))
    else:
        _show(found)
    return 0


def _show(found: "Profile") -> None:
    height, width = found.size_yx
    latency, memory, where = found.latency, found.memory, found.where
    print(f"{found.model}: {found.network}, {found.origin}; {height}x{width} pixels, batch {found.batch}")
    print(f"  parameters  {found.parameters:,}")
    print(f"  MACs        {found.macs / _MILLION:,.1f} M a picture, {found.macs_per_pixel:,.0f} a pixel")
    each = f"; {latency.image_ms:.1f} ms a picture" if found.batch > 1 else ""
    print(
        f"  latency     {latency.median_ms:.1f} ms (quartiles {latency.low_ms:.1f}–{latency.high_ms:.1f}, "
        f"{latency.repeats} repeats){each}; processor's own time {latency.cpu_ms:.1f} ms"
    )
    print(
        f"  memory      {memory.peak_mb:.0f} MB at most, {memory.loaded_mb:.0f} MB of it the network; "
        f"features by arithmetic {memory.features_mb:.1f} MB a picture"
    )
    print(f"  energy      {_energy(found.energy)}")
    print(f"              {found.energy.how}")
    threads = f"{where.threads} thread{'s' if where.threads > 1 else ''}"
    print(f"  on          {where.processor}, {where.device}, {threads}, {where.runtime}; load before {where.load:.1f}")
    print("heaviest layers (MACs, share, parameters):")
    for layer in found.heaviest:
        share = layer.macs / found.macs if found.macs else 0.0
        print(f"  {layer.macs / _MILLION:10,.1f} M  {share:5.1%}  {layer.parameters:>10,}  {layer.kind} {layer.name}")


def _energy(energy: "Energy") -> str:
    if energy.kind == "measured":
        return f"{1e3 * energy.joules:.2f} mJ a picture, measured"
    return f"{1e3 * energy.joules:.2f} mJ a picture ({1e3 * energy.low:.2f}–{1e3 * energy.high:.2f}), modelled"

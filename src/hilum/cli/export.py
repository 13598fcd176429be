"""`hilum export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from hilum.cli.exit_code import checked_options
from hilum.cli.options import Force
from hilum.cli.sizes import size_yx

if TYPE_CHECKING:
    from hilum.workflows.export import Export


def export(
    model: str,
    out: Path,
    /,
    *,
    format: Literal["onnx", "openvino"] = "onnx",  # noqa: A002 the flag's name
    int8: Annotated[bool, Parameter(negative="")] = False,
    data: Path | None = None,
    size: str | None = None,
    max_dice_loss: Annotated[float, Parameter(validator=Number(gte=0, lte=1))] = 0.01,
    force: Force = False,
) -> int:
    """Write a network as ONNX or OpenVINO, and check that it gives the same.

    OUT then holds the graph (model.onnx, or model.xml and model.bin), export.json, config.json and card.md, which say
    what it takes and from which score on it marks, and parity.json: how far its probabilities are from the network's,
    at several sizes and batches.

    ```
    hilum export xray graph
    hilum export run graph --format openvino --data pairs
    hilum export run small --format openvino --int8 --data pairs
    hilum export enet graph --size 512x512
    ```

    Parameters
    ----------
    model
        A network (from scratch) or a trained model by name (hilum models), or a trained one's folder.
    out
        Folder for the graph.
    format
        Of the graph.
    int8
        Kernels and features of 8 bits: scales from training pictures, and what it costs on validation.
    data
        The data set that the model was trained on; needed for int8, and the graph is checked on its pictures instead of
        random ones.
    size
        The only size, HEIGHTxWIDTH, that the graph is to take; any without it.
    max_dice_loss
        An int8 graph that loses more Dice on validation (mean or pooled) is refused.
    force
        Replace what an earlier run of hilum left in OUT.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.export import ExportOptions, run_export

    with checked_options():
        options = ExportOptions(format, int8, data, size_yx(size) if size else None, max_dice_loss)
    return _say(run_export(model, out, options, force=force, track=bar))


def _say(done: "Export") -> int:
    parity = done.parity
    print(
        f"{parity['precision']} in {parity['runtime']} beside {parity['reference']}: probabilities differ by "
        f"{parity['max_difference']:.1e} at most, {parity['mean_difference']:.1e} on average ({parity['inputs']})"
    )
    if dice := parity["dice"]:
        print(
            f"Dice on {dice['cases']} validation pictures: {dice['mean'][0]:.4f} → {dice['mean'][1]:.4f} (mean), "
            f"{dice['pooled'][0]:.4f} → {dice['pooled'][1]:.4f} (pooled)"
        )
    print(f"{'Already there' if done.was_done else 'Done'}: {done.folder / done.file}")
    return 0

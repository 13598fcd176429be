"""Complete configurations for machines that have no pydantic to complete them: one JSON a run of `gpu_queue.md`.

    python -m experiments.gpu_configs

writes them to `experiments/runs`. Each is a recipe with settings; run it again when a recipe or a setting has changed.
"""

import json
from pathlib import Path

from hilum.workflows.train_config import resolved_config

RUNS = Path(__file__).parent / "runs"
LONG = ("trainer.epochs=600", "trainer.batch_size=32", "trainer.ema=0.998", "schedule.warmup_epochs=10")
PLAIN_LONG = (*LONG, "trainer.monitor=dice_pooled", "data.pixel_mm=0.7", "data.visibility_floor=0.5")
CROPPED = ("augment.crop_px=[448, 448]", "augment.rotate_deg=10", "augment.scale=0.2")

SETTINGS = {
    "xray": ("xray", ()),
    "xray_long": ("xray", LONG),
    "xray_tversky": (
        "xray",
        (
            *LONG,
            "loss={name: combined, options: {terms: [{name: bce, options: {pos_weight: 3}}, {name: tversky, options: "
            "{over: batch, fp_weight: 0.3, fn_weight: 0.7}}]}}",
        ),
    ),
    "xray_focal_tversky": ("xray", (*LONG, "loss={name: focal_tversky, options: {over: batch, gamma: 0.75}}")),
    "unet_long": ("xray_unet", (*PLAIN_LONG, *CROPPED)),
}


def main():
    RUNS.mkdir(exist_ok=True)
    for name, (recipe, settings) in SETTINGS.items():
        config = resolved_config(recipe, settings=settings)
        (RUNS / f"{name}.json").write_text(json.dumps(config.plain(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

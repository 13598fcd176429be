"""What a training step of the plain U-Net costs, in float32 and in bfloat16.

    python benchmarks/training_step.py [--threads 1] [--repeat 9]

Batch of 8 pictures of 256², forward, BCE + Dice, backward, AdamW, channels last; the two take turns. On a CPU with AMX
bfloat16 is much faster, without it slower.
"""

import argparse
import os
import statistics
import time

import torch

from hilum.losses.catalogue import build_loss
from hilum.models.catalogue import build_model

BATCH, SIZE, WARM_UP = 8, 256, 2


def stepper(precision):
    """A function that takes one step, and returns its seconds."""
    torch.manual_seed(0)
    network = build_model("unet", {"stem": "full"}).to(memory_format=torch.channels_last)
    optimiser, loss = torch.optim.AdamW(network.parameters()), build_loss("bce_dice")
    xray = torch.rand(BATCH, 1, SIZE, SIZE).to(memory_format=torch.channels_last)
    truth = (torch.rand(BATCH, 1, SIZE, SIZE) > 0.99).float()

    def step():
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            output = network(xray)
        optimiser.zero_grad()
        loss(output, truth).total.backward()
        optimiser.step()
        return time.perf_counter() - start

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=9)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    steps = {name: stepper(name) for name in ("float32", "bfloat16")}
    times = {name: [] for name in steps}
    for turn in range(WARM_UP + given.repeat):
        for name, step in steps.items():
            seconds = step()
            if turn >= WARM_UP:
                times[name].append(seconds)
    medians = {name: statistics.median(found) for name, found in times.items()}
    print(f"AMX: {torch.cpu._is_amx_tile_supported()}, {given.threads} threads, load {os.getloadavg()[0]:.1f}")
    for name, median in medians.items():
        print(f"{name:9} {median:.2f} s a step")
    print(f"float32 / bfloat16: {medians['float32'] / medians['bfloat16']:.1f}")


if __name__ == "__main__":
    main()

"""Train one of hilum's networks on a packed data set where only PyTorch and NumPy are.

    PYTHONPATH=src python -m experiments.xray_gpu PACK.npz OUT --config experiments/runs/xray.json --minutes 8.5

The configuration is a complete `TrainConfig`; `--set trainer.seed=1` changes it. OUT then holds the best weights
(`best.npz`), figures by epoch (`log.csv`) and what the run was (`run.json`); `experiments/adopt.py` makes a model of
it. A run that was stopped, or whose minutes are over, goes on when the same command is started again beside its state.
"""

import argparse
import csv
import hashlib
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from experiments.gpu_feed import Changes, Feed, Order, batches, can_be_changed_on_device, learnt_from
from experiments.gpu_figures import Judge
from experiments.gpu_nets import build, loss_of

from hilum.datasets.splits import Role, is_lidc_patient, role
from hilum.datasets.xray_pack import read_pack

BEST, LOG, RUN, STATE = "best.npz", "log.csv", "run.json", "state.pt"
SCHEMA = "hilum.gpu-run/1"
KEPT_EVERY_S = 60
FAILED_BATCH, WATCHED = "failed_batch.npz", 8
"""Steps between two looks at their losses."""
DEFAULTS = {
    "sampling.hard_negatives": 0,
    "trainer.accumulate": 1,
    "trainer.patience": None,
    "trainer.deterministic": False,
    "start.parts": ["all"],
    "trainer.gradient_checkpointing": False,
    "pretext": None,
    "data.prior": "none",
    "adaptation.method": "none",
}
"""Settings that can't be changed here."""


def main():
    given = arguments()
    config = configured(given.config, given.set)
    run = Run(given, config)
    run.go()


def arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--config", type=Path, required=True, help="JSON with a complete TrainConfig")
    parser.add_argument("--set", action="append", default=[], help="a setting by its path: trainer.seed=1")
    parser.add_argument("--start", type=Path, help="best.npz of another run, to begin with")
    parser.add_argument("--state", type=Path, help="file that the run goes on from; OUT/state.pt without")
    parser.add_argument("--minutes", type=float, default=math.inf, help="ends cleanly within them")
    parser.add_argument("--every", type=int, default=10, help="epochs between two judgements on validation")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--exact", action="store_true", help="pictures changed by NumPy as the house does; slower")
    return parser.parse_args(words)


def configured(path, settings):
    """The configuration with its changes; refuses what isn't there and what this twin can't do."""
    config = json.loads(path.read_text(encoding="utf-8"))
    for setting in settings:
        names, _, words = setting.partition("=")
        *rooms, name = names.split(".")
        place = config
        for room in rooms:
            place = place.get(room, {})
        if name not in place:
            raise SystemExit(f"there is no setting {names!r} in {path}")
        try:
            value = json.loads(words)
        except ValueError:
            value = words
        if not is_alike(place[name], value):
            raise SystemExit(f"{names} is {json.dumps(place[name])}; {words} is no such value")
        place[name] = value
    for names, expected in DEFAULTS.items():
        *rooms, name = names.split(".")
        room = config.get(rooms[0], {}) if rooms else config
        if room.get(name, expected) != expected:
            raise SystemExit(f"{names} can only be {expected} here, it is {room[name]}")
    phases = [{**phase, "loss": phase["loss"] or config["loss"]} for phase in config["phases"]]
    plain = {"first_epoch": 1, "train": ["all"], "encoder_stages": None, "loss": config["loss"]}
    if phases != [plain] or config["schedule"]["kind"] not in ("constant", "cosine"):
        raise SystemExit("only runs in one phase, by a constant or a cosine, can be made here")
    return config


def is_alike(old, new):
    """Whether a value can stand for another: of one kind, numbers finite. Nothing is known of what was None."""
    if old is None or (new is None and isinstance(old, list)):
        return True
    if isinstance(old, float):
        return isinstance(new, int | float) and not isinstance(new, bool) and math.isfinite(new)
    return type(old) is type(new)


class Run:
    """One run: its network, its running mean, and what it came to."""

    def __init__(self, given, config):
        self.began, self.given, self.config = time.monotonic(), given, config
        self.pack = read_pack(given.pack)
        require_pack(self.pack, config)
        self.device = torch.device(given.device)
        torch.manual_seed(config["trainer"]["seed"])
        self.network = build(config["model"])
        if given.start:
            self.network.load_state_dict(weights_of(given.start))
        self.network.to(self.device, memory_format=torch.channels_last)
        self.optimiser = optimiser(self.network, config["optimiser"], self.device)
        self.loss = loss_of(config["loss"])
        self.mean, self.steps = {}, 0
        self.epoch, self.rows, self.seconds = 0, [], 0.0
        self.best, self.best_at = (-math.inf, -math.inf), {}
        self.of_what = {
            "config": config,
            "pack": sha256(given.pack),
            "start": sha256(given.start) if given.start else None,
            "every": given.every,
        }
        self.state = given.state or given.out / STATE
        given.out.mkdir(parents=True, exist_ok=True)
        self.kept_at = self.began
        self.restore()

    def go(self):
        """Learn until the last epoch, or until the minutes are over."""
        config, trainer = self.config, self.config["trainer"]
        self.precision = precision(trainer["precision"], self.device)
        torch.backends.cudnn.benchmark = True
        on_device = can_be_changed_on_device(config) and not self.given.exact
        samples = learnt_from(self.pack, config)
        order = Order(samples, config, self.epoch)
        self.judge = Judge(self.pack.splits["validation"], self.device)
        self.changes = Changes(config) if on_device else None
        feed = iter(batches(Feed(samples, self.pack.bank, config, on_device), order, self.given.workers, self.device))
        slowest = 0.0
        while self.epoch < trainer["epochs"] and self.left() > 1.5 * slowest + 10 * math.isfinite(self.left()):
            started = time.monotonic()
            row = self.learn(feed, order.steps)
            if self.epoch % self.given.every == 0 or self.epoch == trainer["epochs"]:
                row |= self.judged()
            self.rows.append(row)
            now = time.monotonic()
            slowest = max(slowest, now - started)
            self.seconds += now - started
            if now - self.kept_at > KEPT_EVERY_S:
                self.keep()
        if self.rows and "dice_mean" not in self.rows[-1] and not self.best_at:
            self.rows[-1] |= self.judged()  # so that even the shortest call leaves something
        self.keep()
        ended = "done" if self.epoch == trainer["epochs"] else "to be continued"
        pictures = self.epoch * order.steps * order.batch_size
        print(
            f"{ended}: {self.epoch} of {trainer['epochs']} epochs, {pictures / max(self.seconds, 1e-9):.0f} pictures/s"
        )

    def left(self):
        """Seconds."""
        return self.given.minutes * 60 - (time.monotonic() - self.began)

    def learn(self, feed, steps):
        """One epoch; its mean loss."""
        trainer = self.config["trainer"]
        torch.manual_seed(int(np.random.SeedSequence((trainer["seed"], self.epoch, 0)).generate_state(1)[0]))
        noise = torch.Generator(self.device).manual_seed(trainer["seed"] * 1_000_003 + self.epoch)
        self.network.train()
        total, pictures, watched = torch.zeros((), dtype=torch.float64, device=self.device), 0, []
        for step in range(steps):
            factor = factor_at(self.epoch + step / steps, trainer["epochs"], self.config["schedule"])
            for group in self.optimiser.param_groups:
                group["lr"] = group["peak_lr"] * factor
            batch = {name: plane.to(self.device, non_blocking=True) for name, plane in next(feed).items()}
            planes = self.changes(batch, noise) if self.changes else (batch["image"], batch["truth"], batch["weight"])
            loss = self.step(*planes)
            total += loss * len(planes[0])
            pictures += len(planes[0])
            watched.append((loss, planes))
            if len(watched) == WATCHED or step + 1 == steps:
                self.require_finite(watched)
                watched = []
        self.epoch += 1
        return {"epoch": self.epoch, "loss": float(total) / pictures, "lr": self.optimiser.param_groups[0]["lr"]}

    def require_finite(self, watched):
        """Stop at the first loss that is no number, its batch saved; some steps late: each look waits for the GPU."""
        losses = torch.stack([loss for loss, _ in watched]).tolist()
        bad = next((number for number, loss in enumerate(losses) if not math.isfinite(loss)), None)
        if bad is None:
            return
        path = self.given.out / FAILED_BATCH
        planes = zip(("image", "target", "weight"), watched[bad][1], strict=True)
        np.savez_compressed(path, **{name: plane.float().cpu().numpy() for name, plane in planes})
        raise SystemExit(
            f"the loss became {losses[bad]} in epoch {self.epoch + 1}; the batch is in {path}. Begin anew in another "
            "folder with a lower optimiser.lr"
        )

    def step(self, image, truth, weight):
        """One step of the optimiser; the loss before it."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits = self.network(image.contiguous(memory_format=torch.channels_last))
        loss = self.loss(logits, truth, weight)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        longest = self.config["trainer"]["clip_norm"] or math.inf
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), longest)
        self.optimiser.step()
        self.average()
        return loss.detach().double()

    def average(self):
        """The running mean of `hilum.train.phases.Ema`."""
        memory = min(self.config["trainer"]["ema"], (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        if not self.config["trainer"]["ema"]:
            return
        own = {name: value.detach() for name, value in self.network.state_dict().items()}
        if not self.mean:
            self.mean = {name: value.clone() for name, value in own.items()}
            return
        real = [name for name, value in own.items() if value.is_floating_point()]
        torch._foreach_lerp_([self.mean[name] for name in real], [own[name] for name in real], 1 - memory)
        for name in own.keys() - set(real):
            self.mean[name].copy_(own[name])

    @torch.no_grad()
    def judged(self):
        """Figures of the running mean on validation; kept when they are the best so far."""
        own = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.mean or own)
        self.network.eval()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            maps = self.judge.probabilities(self.network, self.config["trainer"]["batch_size"])
        figures = self.judge.figures(maps, self.config["trainer"]["monitor"])
        figures |= self.judge.at_one_false_positive(maps)
        value = figures[self.config["trainer"]["monitor"]]
        score = -1.0 if math.isnan(value) else value, self.epoch
        if score > self.best:  # of equal ones the later: what marks nothing yet is no better for being first
            self.best, self.best_at = score, {"epoch": self.epoch, **figures}
            write_weights(self.given.out / BEST, self.network.state_dict())
        self.network.load_state_dict(own)
        return figures

    def keep(self):
        """Write everything that the next epoch depends on, then what people read."""
        content = {
            "of": json.dumps(self.of_what, sort_keys=True),
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "mean": self.mean,
            "plain": json.dumps([self.steps, self.epoch, self.rows, self.seconds, self.best, self.best_at]),
            "weights": (self.given.out / BEST).read_bytes() if self.best_at else b"",
        }
        self.state.parent.mkdir(parents=True, exist_ok=True)
        at_once(self.state, lambda path: torch.save(content, path))
        at_once(self.given.out / LOG, lambda path: write_rows(path, self.rows))
        machine = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "a processor"
        about = {
            "schema": SCHEMA,
            **self.of_what,
            "epochs": self.epoch,
            "seconds": self.seconds,
            "best": self.best_at,
            "machine": machine,
            "precision": precision(self.config["trainer"]["precision"], self.device),
            "torch": torch.__version__,
        }
        at_once(self.given.out / RUN, lambda path: path.write_text(json.dumps(about, indent=2) + "\n"))
        self.kept_at = time.monotonic()

    def restore(self):
        """Go on from the state, where there is one."""
        if not self.state.is_file():
            return
        found = torch.load(self.state, map_location=self.device, weights_only=True)
        if found["of"] != json.dumps(self.of_what, sort_keys=True):
            raise SystemExit(f"{self.state} is of another run: other settings, data or start. Take another --state")
        self.network.load_state_dict(found["network"])
        self.optimiser.load_state_dict(found["optimiser"])
        self.mean = found["mean"]
        self.steps, self.epoch, self.rows, self.seconds, best, self.best_at = json.loads(found["plain"])
        self.best = best[0], best[1]
        if self.best_at:
            (self.given.out / BEST).write_bytes(found["weights"])


def require_pack(pack, config):
    """Check that a pack is what the configuration wants, with nobody in it who is held out."""
    for name in ("truth", "pixel_mm", "visibility_floor"):
        if pack.about.get(name) != config["data"][name]:
            raise SystemExit(
                f"the pack has data.{name} {pack.about.get(name)}, the configuration {config['data'][name]}"
            )
    if config["insertion"]["share"] and pack.bank is None:
        raise SystemExit("nodules are to be inserted, and the pack has none: pack it again, or set insertion.share=0")
    splits = {name: {sample.patient for sample in split} for name, split in pack.splits.items()}
    for name, expected in (("train", Role.TRAIN), ("validation", Role.VALIDATION)):
        wrong = sorted(one for one in splits.get(name, ()) if is_lidc_patient(one) and role(one) is not expected)
        if wrong:
            raise SystemExit(f"{wrong[0]} is {role(wrong[0])}, and stands in the split {name}")
    if both := sorted(splits.get("train", set()) & splits.get("validation", set())):
        raise SystemExit(f"{both[0]} is in training and in validation")


def optimiser(network, config, device):
    """AdamW as `hilum.train.optimiser`: a part's weights decay, its norms and biases don't."""
    groups = []
    for name, part in network.named_children():
        rate = config["lr_of"].get(name, config["lr"])
        for decays in (True, False):
            own = [one for one in part.parameters() if (one.ndim > 1) is decays]
            decay = config["weight_decay"] if decays else 0.0
            if own:
                groups.append({"params": own, "lr": rate, "peak_lr": rate, "weight_decay": decay})
    betas = tuple(config["betas"])
    return torch.optim.AdamW(groups, lr=config["lr"], betas=betas, fused=device.type == "cuda" or None)


def factor_at(progress, epochs, config):
    """As `hilum.train.schedule.factor_at`, of a constant or a cosine."""
    warmup = config["warmup_epochs"]
    if progress < warmup:
        return config["warmup_from"] + (1 - config["warmup_from"]) * progress / warmup
    if config["kind"] == "constant":
        return 1.0
    after = progress - warmup
    share = after / max(epochs - warmup, after, 1e-9)
    return config["lowest"] + (1 - config["lowest"]) * (1 + math.cos(math.pi * share)) / 2


def precision(wanted, device):
    """What "auto" means here."""
    if wanted != "auto":
        return wanted
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False) else "32"


def write_weights(path, state):
    """Weights in 16 bits, but for what a running variance could overflow."""
    plain = {name: value.detach().cpu().contiguous().numpy() for name, value in state.items()}
    halved = {name: value.astype(np.float16) if value.ndim > 1 else value for name, value in plain.items()}

    def write(temporary):
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, **halved)

    at_once(path, write)


def weights_of(path):
    """A state dict in 32 bits."""
    with np.load(path, allow_pickle=False) as stored:
        state = {name: torch.from_numpy(stored[name]) for name in stored.files}
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def write_rows(path, rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows)


def at_once(path, write):
    """Whole or absent."""
    temporary = path.with_name(f".{path.name}.writing")
    write(temporary)
    temporary.replace(path)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()

"""What a run is made of: batches, judgement, phases, the running mean, checkpointing of the encoder."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from hilum.core import ConfigError, TrainError
from hilum.models.catalogue import build_model
from hilum.train.checkpointing import computed_again
from hilum.train.config import OptimiserConfig, Phase, TrainConfig
from hilum.train.data import EpochBatches, collate, judged_batches
from hilum.train.finder import Rising
from hilum.train.guard import failures_said
from hilum.train.judged_model import alone, probabilities
from hilum.train.judging import THRESHOLDS, judge
from hilum.train.keeping import Best
from hilum.train.module import Learner, Means
from hilum.train.optimiser import adamw
from hilum.train.phases import Ema, set_learning
from hilum.train.stored import write_model
from tests.train.tiny import TINY, Discs, disc

pytestmark = pytest.mark.usefixtures("one_thread")


def samples(shapes):
    rng = np.random.default_rng(0)
    drawn = []
    for shape in shapes:
        one = disc(rng)
        planes = {name: getattr(one, name)[: shape[0], : shape[1]] for name in ("image", "truth", "weight")}
        drawn.append(SimpleNamespace(**planes, prior=None, prior_lesions=None))
    return drawn


def test_padding_has_no_weight_and_repeats_the_edge():
    one, other = samples([(20, 30), (32, 25)])
    batch = collate([(4, one), (7, other)])
    assert batch.image.shape == (2, 1, 32, 30)
    np.testing.assert_array_equal(batch.image[0, 0, :20], one.image)
    np.testing.assert_array_equal(batch.image[0, 0, 25], one.image[-1])
    assert batch.weight[0].sum() == 20 * 30
    assert batch.size.tolist() == [[20, 30], [32, 25]]
    assert batch.case.tolist() == [4, 7]


def test_padding_changes_no_loss():
    """The network sees the repeated edge; the loss doesn't: logits of the padding can be anything."""
    batch = collate([(0, one) for one in samples([(20, 30)])] + [(1, one) for one in samples([(32, 30)])])
    logits = torch.randn(batch.image.shape, generator=torch.Generator().manual_seed(0))
    other = logits.clone()
    other[0, 0, 20:] = 9.0
    loss = TINY.loss.build()
    totals = [
        loss(SimpleNamespace(logits=one, attention=None, deep=()), batch.target, batch.weight).total
        for one in (logits, other)
    ]
    assert totals[0] == totals[1]


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_processes_share_each_batch(processes):
    cases = Discs(18)
    whole = [[one[2] for one in batch] for batch in EpochBatches(cases, 4, lambda: 3)]
    parts = [list(EpochBatches(cases, 4, lambda: 3, (rank, processes))) for rank in range(processes)]
    joined = [[one[2] for part in step for one in part] for step in zip(*parts, strict=True)]
    assert joined == whole
    assert [case for batch in whole for case in batch] == cases.order(3)[:16]


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ConfigError, match="shared evenly by 3"):
        EpochBatches(Discs(8), 4, lambda: 0, (0, 3))


def test_the_best_threshold_is_found_and_figures_are_scikit_learns():
    rng = np.random.default_rng(1)
    truths = [disc(rng).truth for _ in range(4)] + [np.zeros((32, 32), dtype=bool)]
    maps = [np.clip(0.35 * truth + rng.random(truth.shape) * 0.5, 0, 1) for truth in truths]
    found = judge(maps, truths, "dice_mean")

    def dice_mean(level):
        return np.mean(
            [f1_score(t.ravel(), (p >= level).ravel()) for p, t in zip(maps, truths, strict=True) if t.any()]
        )

    assert found["dice_mean"] == pytest.approx(max(dice_mean(level) for level in THRESHOLDS))
    assert found["dice_mean"] == pytest.approx(dice_mean(found["threshold"]))
    every = [np.concatenate([one.ravel() for one in arrays]) for arrays in (truths, maps)]
    assert found["dice_pooled"] == pytest.approx(f1_score(every[0], every[1] >= found["threshold"]))
    assert found["empty_false_positive_rate"] == float((maps[-1] >= found["threshold"]).any())
    assert found["lesion_sensitivity"] == 1


def test_without_a_lesion_dice_is_undefined_and_the_lowest_threshold_is_taken():
    found = judge([np.zeros((8, 8))], [np.zeros((8, 8), dtype=bool)], "dice_mean")
    assert math.isnan(found["dice_mean"])
    assert found["empty_false_positive_rate"] == 0


def test_a_phase_lets_its_parts_learn_and_freezes_running_means():
    network = TINY.model.build()
    set_learning(network, Phase(train=("decoder",)))
    learning = {name.split(".")[0] for name, one in network.named_parameters() if one.requires_grad}
    assert learning == {"decoder"}
    before = copy.deepcopy(network.state_dict())
    network(torch.rand(2, 1, 32, 32))
    after = network.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"decoder"}


def test_only_the_encoders_last_stages_learn():
    network = TINY.model.build()
    set_learning(network, Phase(encoder_stages=1))
    stages = [any(one.requires_grad for one in stage.parameters()) for stage in network.encoder_stages()]
    assert stages == [False, True]
    assert all(one.requires_grad for one in network.parts()["decoder"].parameters())


def test_a_frozen_part_stays_to_the_last_bit():
    network = TINY.model.build()
    set_learning(network, Phase(train=("head",)))
    optimiser = adamw(network, OptimiserConfig(lr=0.1, weight_decay=0.1))
    before = copy.deepcopy(network.state_dict())
    network(torch.rand(2, 1, 32, 32)).logits.mean().backward()
    optimiser.step()
    changed = {name.split(".")[0] for name, one in network.state_dict().items() if not torch.equal(before[name], one)}
    assert changed == {"head"}


def test_parts_have_their_rates_and_norms_do_not_decay():
    network = TINY.model.build()
    optimiser = adamw(network, OptimiserConfig(lr=1.0, lr_of={"encoder": 0.1}, weight_decay=0.5))
    of = {id(one): group for group in optimiser.param_groups for one in group["params"]}
    for name, one in network.named_parameters():
        assert of[id(one)]["lr"] == (0.1 if name.startswith("encoder") else 1.0)
        assert of[id(one)]["weight_decay"] == (0.5 if one.ndim > 1 else 0)
    with pytest.raises(ConfigError, match="no part 'nose'"):
        adamw(network, OptimiserConfig(lr_of={"nose": 1.0}))


def test_phases_are_in_order():
    plan = TrainConfig(phases=(Phase(train=("head",)), Phase(first_epoch=11), Phase(first_epoch=51)))
    assert [plan.phase_at(epoch) for epoch in (1, 10, 11, 50, 51, 900)] == [0, 0, 1, 1, 2, 2]
    for firsts in ((2,), (1, 5, 5), (1, 7, 3)):
        with pytest.raises(ConfigError, match="one after another"):
            TrainConfig.of({"phases": [{"first_epoch": first} for first in firsts]})


def test_the_running_mean_is_one_and_is_put_back():
    learner = Learner(TINY.model.build(), TINY)
    ema, weight = Ema(0.5), learner.network.head[0].bias
    seen, trainer = [], SimpleNamespace(global_step=7)
    ema.on_train_start(trainer, learner)
    for value in (1.0, 2.0, 4.0, 8.0):
        ema.on_train_batch_end(trainer, learner, None, None, 0)  # a batch without a step counts for nothing
        with torch.no_grad():
            weight.fill_(value)
        trainer.global_step += 1
        ema.on_train_batch_end(trainer, learner, None, None, 1)
        seen.append(value)
    mean = seen[0]
    for step, value in enumerate(seen[1:], 1):
        memory = min(0.5, (1 + step) / (10 + step))
        mean = memory * mean + (1 - memory) * value
    ema.on_validation_start(None, learner)
    assert float(weight.detach()[0]) == pytest.approx(mean)
    ema.on_validation_end(None, learner)
    assert float(weight.detach()[0]) == 8.0


def test_computing_features_again_changes_nothing_but_memory():
    torch.manual_seed(0)
    image = torch.rand(2, 1, 32, 32)
    network = build_model("unet", {"widths": (4, 8), "stem": "full"})
    again = copy.deepcopy(network)
    for one, is_wanted in ((network, False), (again, True)):
        with computed_again(one, is_wanted):
            one(image).logits.square().mean().backward()
    for plain, other in zip(network.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(plain.grad, other.grad)
    torch.testing.assert_close(network.state_dict(), again.state_dict())


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes."),
        torch.OutOfMemoryError("CUDA out of memory."),
    ],
)
def test_too_little_memory_names_the_settings_to_lower(error):
    with pytest.raises(TrainError, match=r"batch_size.*crop.*bf16"), failures_said():
        raise error
    with pytest.raises(RuntimeError, match="something else"), failures_said():
        raise RuntimeError("something else")


def test_each_picture_is_judged_as_if_there_were_no_other():
    """A network sees what lies beyond an edge; the figures of a model are those of pictures one at a time."""
    network = TINY.model.build().eval()
    network.head[0].weight.data *= 30  # so that it says something
    judged = samples([(20, 30), (32, 25), (20, 30), (19, 31)])
    with torch.inference_mode():
        wanted = [network(torch.from_numpy(one.image)[None, None]).logits.sigmoid()[0, 0].numpy() for one in judged]
    found, padded = (way(network, judged, 4, "cpu") for way in (alone, probabilities))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    assert np.abs(padded[0] - wanted[0]).max() > 1e-3


def test_judged_batches_hold_every_case_in_order():
    batches = list(judged_batches(Discs(5).samples, 2))
    assert [case for batch in batches for case in batch.case.tolist()] == [0, 1, 2, 3, 4]


def test_of_epochs_that_mark_nothing_the_one_with_the_lowest_loss_is_kept(tmp_path):
    best, learner = Best(TINY, tmp_path), Learner(TINY.model.build(), TINY)
    kept = []
    for epoch, (figure, loss) in enumerate([(0.0, 3.0), (0.0, 2.0), (0.0, 2.5), (0.1, 9.0), (math.nan, 1.0)]):
        learner.figures = {"dice_mean": figure, "threshold": 0.5}
        learner.judged = Means({"loss": loss}, 1)
        best.on_validation_epoch_end(SimpleNamespace(current_epoch=epoch, is_global_zero=False), learner)
        kept.append(best.state_dict()["figures"]["epoch"])
    assert kept == [1, 2, 2, 4, 4]


def test_of_epochs_that_are_alike_one_of_the_latest_phase_is_kept(tmp_path):
    """The loss of the attention alone is lower than what the whole network minimises later; that says nothing."""
    best, learner = Best(TINY, tmp_path), Learner(TINY.model.build(), TINY)
    kept = []
    for epoch, (phase, loss) in enumerate([(0, 0.6), (1, 2.0), (1, 1.5), (1, 1.7), (2, 3.0)]):
        learner.figures, learner.phase = {"dice_mean": 0.006, "threshold": 0.5}, phase
        learner.judged = Means({"loss": loss}, 1)
        best.on_validation_epoch_end(SimpleNamespace(current_epoch=epoch, is_global_zero=False), learner)
        kept.append(best.state_dict()["figures"]["epoch"])
    assert kept == [1, 2, 3, 3, 5]


def test_equal_weights_are_equal_files(tmp_path):
    network = TINY.model.build()
    for _ in range(20):
        write_model(tmp_path, network, TINY, {})
        first = (tmp_path / "first").read_bytes() if (tmp_path / "first").exists() else None
        content = (tmp_path / "weights.safetensors").read_bytes()
        (tmp_path / "first").write_bytes(content)
        assert first in (None, content)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_suggested_rate_is_a_tenth_of_the_best(accumulate):
    """A loss that falls until the rate is .02 and then runs away; batches that make one step have its rate."""
    rising, trainer = Rising(71), SimpleNamespace(optimizers=[SimpleNamespace(param_groups=[{}])], should_stop=False)
    trainer.global_step = batches = 0
    while not trainer.should_stop:
        batches += 1
        rising.on_train_batch_start(trainer, None, None, 0)
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        loss = 1 - math.log10(rate / 1e-7) / 8 if rate < 0.02 else 1e3 * rate
        trainer.global_step = batches // accumulate
        rising.on_train_batch_end(trainer, None, {"loss": torch.tensor(loss)}, None, 0)
    found = rising.found()
    assert found.suggested == pytest.approx(0.002, rel=0.3)
    assert len(found.rates) == len(found.losses) < 71
    assert (len(found.losses) + 1) * accumulate == batches


def test_one_easy_batch_at_the_beginning_hides_no_rate():
    """The running mean of the first step is that batch's own loss; it is not what a rate of 1e-7 reaches."""
    rising = Rising(60)
    trainer = SimpleNamespace(optimizers=[SimpleNamespace(param_groups=[{}])], should_stop=False, global_step=0)
    while not trainer.should_stop:
        rising.on_train_batch_start(trainer, None, None, 0)
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        loss = 0.3 if trainer.global_step == 0 else 1 - math.log10(rate / 1e-7) / 20
        trainer.global_step += 1
        rising.on_train_batch_end(trainer, None, {"loss": torch.tensor(loss)}, None, 0)
    assert rising.found().suggested == pytest.approx(0.1)


def test_a_loss_that_runs_away_at_once_has_no_rate():
    with pytest.raises(TrainError, match="ran away after 0 steps"):
        Rising(10).found()

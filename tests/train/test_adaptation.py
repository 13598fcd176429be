"""Films beside X-rays: what their features cost is by the formula, and a run with them can be stopped and go on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, layer_norm

from hilum.core import ConfigError
from hilum.datasets.xray_config import AugmentConfig
from hilum.models.catalogue import ModelConfig
from hilum.train.adaptation import (
    FeatureStatistics,
    GradientReversal,
    adaptation_of,
    covariance_distance,
    features_of,
    mean_distance,
    reversed_gradient,
    strength_at,
)
from hilum.train.adaptation_config import AdaptationConfig
from hilum.train.config import Machine, TrainConfig
from hilum.train.data import EpochBatches, collate
from hilum.train.films import BesideFilm, FilmXrays
from hilum.train.fit import Cases, fit
from hilum.train.keeping import read_checkpoint
from hilum.train.xrays import Xrays
from tests.train.tiny import MACHINE, SIZE, TINY, Discs, cases, changed


def features(seed=0, shape=(5, 3, 2, 4)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def adapting(method="gradient_reversal", **options):
    config = TINY.model_copy(update={"augment": AugmentConfig(crop_px=(SIZE, SIZE))})
    return config.model_copy(update={"adaptation": AdaptationConfig(method=method, **options)})


def films(count=4):
    """Pictures of inverse contrast."""
    return [replace(one, image=1 - one.image, key=f"film{n}") for n, one in enumerate(Discs(count, seed=50).samples)]


def with_films(config, count=8):
    return Cases(FilmXrays(Discs(count).samples, config, None, films()), cases().judged)


def test_a_reversed_gradient_is_minus_lambda_times_the_gradient():
    one, other = (features().requires_grad_() for _ in range(2))
    same = reversed_gradient(other, 0.3)
    assert torch.equal(same, one)
    (one**3).sum().backward()
    (same**3).sum().backward()
    torch.testing.assert_close(other.grad, -0.3 * one.grad)


def test_the_encoder_is_turned_round_and_the_classifier_is_not():
    adaptation = GradientReversal(3, 8, seed=1)
    plain, turned = (features().requires_grad_() for _ in range(2))
    domain = torch.tensor([0.0, 0, 0, 1, 1])
    logits = adaptation.classifier(layer_norm(plain.mean((2, 3)), (3,)))[:, 0]
    each = binary_cross_entropy_with_logits(logits, domain, reduction="none")
    expected = (each[:3].mean() + each[3:].mean()) / 2
    expected.backward()
    gradient = [one.grad.clone() for one in adaptation.parameters()]
    adaptation.zero_grad()
    loss = adaptation([turned], films=2, strength=0.7)
    loss.total.backward()
    torch.testing.assert_close(loss.total, expected)
    torch.testing.assert_close(turned.grad, -0.7 * plain.grad)
    for parameter, own in zip(adaptation.parameters(), gradient, strict=True):
        torch.testing.assert_close(parameter.grad, own)
    assert 0 <= float(loss.parts["domain_accuracy"]) <= 1


def test_larger_features_do_not_mislead_the_classifier():
    adaptation = GradientReversal(3, 8, seed=1)
    one, other = (float(adaptation([scale * features()], 2, 0.5).total.detach()) for scale in (1.0, 100.0))
    assert one == pytest.approx(other, rel=1e-3)


def test_statistics_are_numpys():
    source, target = features(1, (40, 6)), 2 * features(2, (25, 6)) + 1
    c_source, c_target = (np.cov(one.double().numpy(), rowvar=False) for one in (source, target))
    expected = ((c_source - c_target) ** 2).sum() / (4 * 6**2)
    assert float(covariance_distance(source, target)) == pytest.approx(expected, rel=1e-4)
    means = ((source.double().mean(0) - target.double().mean(0)) ** 2).sum() / 6
    assert float(mean_distance(source, target)) == pytest.approx(float(means), rel=1e-4)
    assert float(covariance_distance(source, source[torch.randperm(40)])) == pytest.approx(0, abs=1e-10)


def test_statistics_of_shifted_features_differ_in_their_means_alone():
    one = features(3, (2, 4, 6, 6))
    loss = FeatureStatistics()([torch.cat((one, one + 0.5))], films=2, strength=3.0)
    assert float(loss.parts["coral"]) == pytest.approx(0, abs=1e-9)
    assert float(loss.parts["mean_shift"]) == pytest.approx(0.25, rel=1e-4)
    assert float(loss.total) == pytest.approx(0.75, rel=1e-4)


def test_places_count_not_pictures():
    """A picture cut into pieces has the features of the whole."""
    whole = features(4, (4, 3, 6, 8))
    pieces = torch.cat(
        [torch.cat((half[..., :4], half[..., 4:])) for half in (whole[:2], whole[2:])]
    )  # X-rays first, then films
    one = FeatureStatistics()([whole], films=2, strength=1.0)
    other = FeatureStatistics()([pieces], films=4, strength=1.0)
    torch.testing.assert_close(one.total, other.total)


def test_strength_rises_from_nothing_to_the_weight():
    config = AdaptationConfig(method="gradient_reversal", weight=0.8, rise=10)
    values = [strength_at(p, config) for p in np.linspace(0, 1, 11)]
    assert values[0] == 0
    assert values[-1] == pytest.approx(0.8, rel=1e-3)
    assert values[1] == pytest.approx(0.8 * np.tanh(0.5))  # 2 / (1 + exp(-2x)) - 1 = tanh x
    assert (np.diff(values) > 0).all()


@pytest.mark.parametrize("name", ["unet", "res_unet"])
def test_features_are_those_of_the_named_stages(name):
    options = {"widths": (4, 8, 12), **({"blocks": (1, 1, 1)} if name == "res_unet" else {})}
    network = ModelConfig(name=name, options=options).build()
    with features_of(network, (1, 3)) as seen:
        network(torch.zeros(2, 1, 64, 64))
    assert [one.shape[1] for one in seen] == [4, 12]
    assert not any(stage._forward_hooks for stage in network.encoder_stages())
    before = torch.random.get_rng_state()
    adaptation = adaptation_of(network, AdaptationConfig(method="gradient_reversal", stages=(1, 3)), seed=0)
    assert adaptation.classifier[0].in_features == 16
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(module.training for module in network.modules())
    with pytest.raises(ConfigError, match="stage 4 from the last"), features_of(network, (4,)):
        pass


def test_films_stand_beside_every_so_many_th_xray_and_change_nothing_else():
    config = adapting(every=2)
    xrays, beside = Xrays(Discs(8).samples, config), with_films(config).learning
    batch = collate([(case, beside.draw(1, place, case)) for place, case in enumerate(beside.order(1))])
    alone = collate([(case, xrays.draw(1, place, case)) for place, case in enumerate(xrays.order(1))])
    assert alone.film is None
    assert batch.film.shape == (4, 1, SIZE, SIZE)
    for name in ("image", "target", "weight", "case"):
        assert torch.equal(getattr(batch, name), getattr(alone, name))
    again = with_films(config).learning
    assert isinstance(again.draw(1, 2, 0), BesideFilm)
    np.testing.assert_array_equal(again.draw(1, 2, 0).film, batch.film[1, 0].numpy())
    assert not np.array_equal(again.draw(2, 2, 0).film, batch.film[1, 0].numpy())
    assert len(list(EpochBatches(beside, 4, lambda: 0))) == 2


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path):
    config = changed(adapting(), epochs=2)
    rows = {}
    for name, stops in (("whole", ()), ("stopped", (1,))):
        out = tmp_path / name
        out.mkdir()
        for epochs in stops:
            stop_after(epochs, config, out)
        rows[name] = fit(network(config), with_films(config), config, MACHINE, out).rows
    for whole, stopped in zip(rows["whole"], rows["stopped"], strict=True):
        for column in ("loss", "bce", "domain", "domain_accuracy", "adaptation_strength"):
            assert whole[f"train_{column}"] == stopped[f"train_{column}"]
        assert whole["validation_loss"] == stopped["validation_loss"]
    kept = [read_checkpoint(tmp_path / name / "checkpoints/last.ckpt", config) for name in rows]
    for group in ("network", "adaptation"):
        assert all(torch.equal(kept[0][group][key], kept[1][group][key]) for key in kept[0][group])


def network(config):
    torch.manual_seed(config.trainer.seed)
    return config.model.build()


def stop_after(epochs, config, out):
    """A run that somebody interrupts."""
    learning = with_films(config)

    class Ends(FilmXrays):
        def draw(self, epoch, place, case):
            if epoch >= epochs:
                raise RuntimeError("stopped")
            return super().draw(epoch, place, case)

    ends = Ends(Discs(8).samples, config, None, films())
    with pytest.raises(RuntimeError, match="stopped"):
        fit(network(config), Cases(ends, learning.judged), config, MACHINE, out)


def test_statistics_come_nearer_when_they_are_asked_to(tmp_path):
    """The same run with and without weight: with it, features of films and X-rays end nearer to each other."""
    ends = []
    for weight in (0.0, 30.0):
        config = changed(adapting("feature_statistics", weight=weight), epochs=4)
        out = tmp_path / str(weight)
        out.mkdir()
        ends.append(fit(network(config), with_films(config), config, MACHINE, out).rows[-1])
    shift = [row["train_mean_shift"] + row["train_coral"] for row in ends]
    assert shift[1] < 0.7 * shift[0]


def test_what_does_not_fit_is_refused(tmp_path):
    wanted = {"method": "gradient_reversal"}
    with pytest.raises(ConfigError, match=r"augment\.crop_px"):
        TrainConfig.of({"adaptation": wanted})
    with pytest.raises(ConfigError, match="at most the batch"):
        TrainConfig.of({"adaptation": {**wanted, "every": 9}, "augment": {"crop_px": [64, 64]}})
    with pytest.raises(ConfigError, match="no film"):
        FilmXrays(Discs(2).samples, adapting(), None, [])
    with pytest.raises(ConfigError, match="one process"):
        fit(network(TINY), with_films(adapting()), adapting(), Machine(device="cpu", processes=2), tmp_path)

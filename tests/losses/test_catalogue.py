"""Losses by name and configuration: strict, complete, and told apart in the parts."""

import json

import pytest
import torch

from hilum.core import ConfigError
from hilum.losses.catalogue import build_loss
from hilum.losses.choice import LossConfig
from hilum.losses.deep import DeepSupervision
from hilum.models.output import Segmentation
from tests.losses.batches import EVERY, output, truth


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dise", {}, r"no loss 'dise'\. There are: bce, dice, "),
        ("tversky", {"alpha": 0.3}, r"loss tversky: there is no setting 'alpha'\. .*fp_weight"),
        ("bce", {"pos_weight": 0}, r"loss bce: pos_weight.*greater than 0; got 0"),
        ("bce", {"pos_weight": {"cap": 0.5}}, r"loss bce: pos_weight.*cap.*got 0\.5"),
        ("focal", {"alpha": 2}, "loss focal: alpha: .*got 2"),
        ("combined", {}, "loss combined: terms: Field required"),
        ("combined", {"terms": []}, "loss combined: terms: "),
        ("combined", {"terms": [{"name": "dise"}]}, "no loss 'dise'"),
        ("combined", {"terms": [{"name": "dice", "options": {"smoth": 1}}]}, r"loss dice: .*'smoth'\. .*smooth"),
        ("deep_supervision", {"loss": {"name": "dice", "options": {"over": "all"}}}, "loss dice: over: "),
    ],
)
def test_what_cannot_be_is_one_clear_line(name, options, message):
    with pytest.raises(ConfigError, match=message) as error:
        build_loss(name, options)
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match=message):
        LossConfig(name=name, options=options)


@pytest.mark.parametrize("which", EVERY)
def test_a_configuration_is_complete_and_comes_back_from_json(which):
    name, options = EVERY[which]
    config = LossConfig(name=name, options=options)
    again = LossConfig.of(json.loads(json.dumps(config.plain())))
    assert (again, again.hash) == (config, config.hash)
    assert config.options.keys() == config.build().config.plain().keys()
    torch.testing.assert_close(
        again.build()(output(), truth()).total, build_loss(name, options)(output(), truth()).total
    )


def test_defaults_that_are_written_out_do_not_change_the_hash():
    assert LossConfig().hash == LossConfig(name="bce_dice", options={"bce_weight": 1}).hash
    assert LossConfig().hash != LossConfig(name="bce_dice", options={"bce_weight": 2}).hash


def test_parts_are_logged_apart_and_unweighted():
    given, target = output(), truth()
    parts = build_loss("medical")(given, target).parts
    assert parts.keys() == {"tversky", "focal", "bce"}
    torch.testing.assert_close(parts["tversky"], build_loss("tversky")(given, target).total)
    total = build_loss("medical")(given, target).total
    torch.testing.assert_close(total, 0.4 * parts["tversky"] + 0.3 * parts["focal"] + 0.3 * parts["bce"])


def test_a_sum_is_the_sum_and_numbers_names_that_come_again():
    given, target = output(), truth()
    terms = [
        {"name": "dice"},
        {"name": "dice", "options": {"over": "batch"}, "weight": 2},
        {"name": "attention", "weight": 0.5},
    ]
    loss = build_loss("combined", {"terms": terms})(given, target)
    assert list(loss.parts) == ["dice", "dice_2", "attention"]
    torch.testing.assert_close(
        loss.total, loss.parts["dice"] + 2 * loss.parts["dice_2"] + 0.5 * loss.parts["attention"]
    )


def test_without_attention_there_is_nothing_to_teach():
    plain = Segmentation(output().logits)
    for name, options in (
        ("attention", {}),
        ("combined", {"terms": [{"name": "bce"}, {"name": "attention"}]}),
        ("deep_supervision", {"loss": {"name": "attention"}}),
    ):
        with pytest.raises(ConfigError, match="no attention to teach"):
            build_loss(name, options)(plain, truth())


def test_attention_reaches_only_the_attention():
    given = output()
    assert given.attention is not None
    logits, attention = given.logits.requires_grad_(), given.attention.requires_grad_()
    build_loss("attention")(Segmentation(logits, attention), truth()).total.backward()
    assert logits.grad is None
    assert attention.grad is not None


def test_attention_is_right_at_the_share_of_each_area():
    target = truth((2, 1, 16, 16), share=0.4)
    share = torch.nn.functional.avg_pool2d(target, 4)
    attention = share.logit().requires_grad_()
    build_loss("attention")(Segmentation(target, attention), target).total.backward()
    assert attention.grad is not None
    assert attention.grad.abs().max() < 1e-12


def test_weights_of_stages():
    assert DeepSupervision().weights(2) == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    assert DeepSupervision().weights(0) == [1]
    assert DeepSupervision(DeepSupervision.Config(decay=1)).weights(3) == [0.25] * 4
    assert DeepSupervision(DeepSupervision.Config(coarser=0.3)).weights(3) == pytest.approx([1, 0.3, 0.15, 0.075])


def test_deep_supervision_is_the_weighted_sum_over_stages():
    given, target = output(), truth()
    loss = build_loss("deep_supervision", {"loss": {"name": "bce_dice"}, "coarser": 0.3, "pooling": "area"})(
        given, target
    )
    each = [
        build_loss("bce_dice")(Segmentation(logits), torch.nn.functional.avg_pool2d(target, step)).total
        for step, logits in ((1, given.logits), (2, given.deep[0]), (4, given.deep[1]))
    ]
    assert list(loss.parts) == ["bce", "dice", "deep_1", "deep_2"]
    torch.testing.assert_close(loss.total, each[0] + 0.3 * each[1] + 0.15 * each[2])

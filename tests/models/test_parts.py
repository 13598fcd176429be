"""Parts taken out, put back, frozen, and given rates of their own."""

import pytest
import torch

from hilum.core import ConfigError, UnsupportedError
from hilum.models.parts import load_part, parameter_groups, part_of, rest_frozen, train_only
from tests.models.small import NAMES, narrow, picture


def learners(network: torch.nn.Module) -> set[str]:
    return {name for name, own in network.named_parameters() if own.requires_grad}


@pytest.mark.parametrize("name", NAMES)
def test_an_encoder_goes_from_one_network_to_another(name):
    one, other = narrow(name), narrow(name, seed=1)
    head = {key: value.clone() for key, value in part_of(other, "head").state_dict().items()}
    load_part(other, "encoder", part_of(one, "encoder").state_dict())
    for key, value in part_of(one, "encoder").state_dict().items():
        assert torch.equal(value, part_of(other, "encoder").state_dict()[key])
    assert all(torch.equal(value, part_of(other, "head").state_dict()[key]) for key, value in head.items())


def test_an_encoder_of_another_architecture_is_refused_and_nothing_changed():
    network = narrow("unet")
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(UnsupportedError, match=r"don't fit UNet's encoder: .* missing: .*; .* unknown: ") as error:
        load_part(network, "encoder", part_of(narrow("original"), "encoder").state_dict())
    assert "another architecture" in error.value.remedy
    wider = part_of(narrow("unet", widths=[4, 8, 16]), "encoder").state_dict()
    with pytest.raises(UnsupportedError, match=r"of another shape: stages.2.0.0.weight \[16, 8, 3, 3\] for \[12, 8"):
        load_part(network, "encoder", wider)
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in before.items())


def test_a_part_that_does_not_exist_is_answered_with_those_that_do():
    with pytest.raises(ConfigError, match="UNet has no part 'attention'") as error:
        train_only(narrow("unet"), ["attention"])
    assert "encoder, decoder, head" in error.value.remedy


@pytest.mark.parametrize("name", NAMES)
def test_only_what_was_chosen_gets_gradients(name):
    network = narrow(name)
    for part in network.parts():
        network.zero_grad(set_to_none=True)
        train_only(network, [part])
        output = network(picture(2, 1, 64, 64))
        shown = [output.logits, *output.deep, *([] if output.attention is None else [output.attention])]
        torch.stack([(one * picture(*one.shape, seed=1)).sum() for one in shown]).sum().backward()
        chosen = {id(own) for own in part_of(network, part).parameters()}
        assert {id(own) for own in network.parameters() if own.grad is not None} == chosen


def test_of_the_encoder_the_last_stages_can_be_chosen():
    network = narrow("improved")
    train_only(network, network.parts(), encoder_stages=2)
    stages = {name.split(".")[1] for name in learners(network) if name.startswith("encoder.")}
    assert stages == {"layer3", "layer4"}
    assert any(name.startswith("decoder.") for name in learners(network))
    train_only(network, ["encoder"], encoder_stages=0)
    assert learners(network) == set()
    train_only(network, network.parts())
    assert learners(network) == {name for name, _ in network.named_parameters()}
    with pytest.raises(ConfigError, match="5 encoder stages can't be trained: Improved has 4"):
        train_only(network, ["encoder"], encoder_stages=5)


def test_what_is_frozen_keeps_its_statistics_too():
    network = narrow("original").train()
    train_only(network, ["attention", "head"])
    rest_frozen(network)
    before = {key: value.clone() for key, value in network.named_buffers()}
    network(picture(2, 1, 64, 64))
    moved = {key.split(".")[0] for key, value in network.named_buffers() if not torch.equal(value, before[key])}
    assert moved == {"attention"}


def test_rates_are_given_by_part():
    network = narrow("original")
    groups = {group["name"]: group for group in parameter_groups(network, 2e-5, {"encoder": 5e-6})}
    assert {name: group["lr"] for name, group in groups.items()} == {
        name: 5e-6 if name == "encoder" else 2e-5 for name in network.parts()
    }
    assert sum(len(group["params"]) for group in groups.values()) == len(list(network.parameters()))
    torch.optim.AdamW(groups.values())
    with pytest.raises(ConfigError, match="no part 'backbone'"):
        parameter_groups(network, 1e-3, {"backbone": 1e-4})

"""The count of operations against counts by hand, and what a budget buys."""

import pytest
import torch
from torch import nn

from riqa.learn.cost import epochs_for, flop_per_image, network_size
from riqa.learn.model import QualityNet


def test_a_linear_layer_by_hand():
    """Twelve inputs, five outputs: forwards, for the weights and, after the first layer, for its inputs."""
    first = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    assert flop_per_image(first, 2) == 2 * 12 * 5 * 2
    both = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 3))
    assert flop_per_image(both, 2) == 2 * 12 * 5 * 2 + 2 * 5 * 3 * 3


def test_a_convolution_by_hand():
    """Kernels of 3 x 3, 3 to 4 channels, stride 2 on 8 x 8 pixels: 16 places, each 27 products a channel."""
    first = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    assert flop_per_image(first, 8) == 2 * 27 * 4 * 16 * 2
    second = nn.Conv2d(4, 2, 1)
    assert flop_per_image(nn.Sequential(first, second), 8) == 2 * 27 * 4 * 16 * 2 + 2 * 4 * 2 * 16 * 3


def test_a_vision_transformer_by_hand():
    """17 tokens of 96 numbers, four layers of 12 x 96^2 weights, 16 patches of 768 numbers, 3 classes."""
    parameters, flop = network_size("vit_tiny", 3, 64)
    layers = 4 * 12 * 96**2 * 17 * 3
    attention = 4 * 2 * 17 * 17 * 96 * 3
    patches, head = 16 * 768 * 96 * 2, 96 * 3 * 3
    assert flop == pytest.approx(2 * (layers + attention + patches + head), rel=0.02)
    net = QualityNet("vit_tiny", 3, 0, image_size=64)
    assert parameters == sum(weight.numel() for weight in net.parameters())


def test_nothing_is_computed_for_a_network_by_name_and_the_count_is_that_of_the_network():
    torch.manual_seed(1)
    after = torch.rand(1)
    torch.manual_seed(1)
    parameters, flop = network_size("resnet10", 2, 32)
    assert torch.equal(torch.rand(1), after)
    net = QualityNet("resnet10", 2, 0, image_size=32)
    assert (parameters, flop) == (sum(w.numel() for w in net.parameters()), flop_per_image(net, 32))
    assert network_size("resnet10", 2, 64)[1] == pytest.approx(4 * flop, rel=0.01)


def test_a_network_that_reads_numbers_of_its_own_while_it_is_built():
    """RegNet makes a list of its widths from a tensor, which only holds numbers on a real device."""
    parameters, _ = network_size("regnet_y_400mf", 2, 64)
    assert parameters == sum(weight.numel() for weight in QualityNet("regnet_y_400mf", 2, 0).parameters())


@pytest.mark.parametrize(
    ("budget", "flop", "epochs"), [(90, 10, 9), (99, 10, 9), (0.3, 0.1, 3), (5, 10, 1), (1 / 3 * 9, 1 / 3, 9)]
)
def test_a_budget_buys_whole_epochs_and_at_least_one(budget, flop, epochs):
    assert epochs_for(budget, flop) == epochs

"""Flips of a Teacher that judges by brightness alone, counted by hand; chapter 05 shows those of a real one."""

import numpy as np
import pytest
import torch
from torch import nn

from riqa.learn.augment import TRANSFORMS, Augmentation
from riqa.learn.examples import unlabelled
from riqa.learn.flips import AT_RANDOM, flip_table, strengths_of


class Brightness(nn.Module):
    """Says good for illumination where the mean is above 0.5; the others are always on the fence."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, images):
        return {"details": 40 * (images.mean((1, 2, 3)) - 0.5)[:, None] * torch.tensor([1.0, 0.0, 0.0])}


def greys(*values):
    """Return an image of each grey."""
    levels = (np.array(values) * 255).round().astype(np.uint8)
    return unlabelled(np.tile(levels[:, None, None, None], (1, 32, 32, 3)))


def test_shares_by_hand():
    """Grey 0.45, 0.49, 0.515, 0.6 with brightness of 10 %: two of twelve answers cross one half."""
    tenth = Augmentation(max_colour_change=0.1)
    table = flip_table(Brightness(), greys(0.45, 0.49, 0.515, 0.60), tenth, beyond=2.0, margin=0.2)
    rows = table[table["transformation"] == "brightness"].set_index("strength")
    # Up by 10 %: only 0.49 crosses (0.45 becomes 0.495). Down by 10 %: only 0.515 does.
    assert rows.loc[1.0, ["flipped", "to_bad"]].tolist() == pytest.approx([1 / 12, 0])
    assert rows.loc[-1.0, ["flipped", "to_bad"]].tolist() == pytest.approx([1 / 12, 1 / 12])
    # Down by 20 %: 0.6 as well, whose probability was 1 / (1 + exp(-4)) = 0.982.
    assert rows.loc[-2.0, ["flipped", "largest"]].tolist() == pytest.approx([2 / 12, 0.482], abs=2e-3)
    # Clear, that is 0.2 away from one half, are 0.45 (0.12) and 0.6; 0.515 (0.63) is not quite.
    assert rows.loc[-2.0, ["n_clear", "flipped_clear"]].tolist() == [2, 1 / 2]
    assert table.loc[table["transformation"].str.endswith("flip"), "flipped"].eq(0).all()
    assert set(table["transformation"]) == {*TRANSFORMS, AT_RANDOM}


def test_every_choice_is_alive_and_strengths_are_the_ends_and_beyond():
    images, strong = greys(*np.linspace(0.4, 0.6, 24)), Augmentation(max_colour_change=0.3)
    base = flip_table(Brightness(), images, strong)
    for knob in ({"beyond": 2.0}, {"margin": 0.45}):
        assert not base.equals(flip_table(Brightness(), images, strong, **knob)), knob
    assert strengths_of("contrast", 5.0) == (-5.0, -1.0, 1.0, 5.0)
    assert strengths_of("vertical_flip", 5.0) == (1.0,)

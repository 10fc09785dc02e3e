"""How many images a network is given at a time: by their pixels, so that memory hardly depends on them."""

import pytest
import torch

from riqa.learn.inference import images_at_a_time


@pytest.mark.parametrize(("side", "count"), [(64, 64), (160, 10), (224, 5), (512, 1), (2048, 1)])
def test_a_batch_of_evaluation_has_about_as_many_pixels_whatever_the_side(side, count):
    assert images_at_a_time(side, torch.device("cpu")) == count
    assert images_at_a_time(side, torch.device("cuda")) == max(16_777_216 // side**2, 1)

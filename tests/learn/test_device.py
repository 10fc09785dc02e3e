"""The device: the processor unless a graphics card is asked for and there."""

import pytest
import torch

from riqa.errors import InputError
from riqa.learn.device import resolve_device


@pytest.mark.parametrize(
    ("device", "card", "expected"),
    [
        ("cpu", True, "cpu"),
        ("cpu", False, "cpu"),
        ("auto", False, "cpu"),
        ("auto", True, "cuda"),
        ("cuda", True, "cuda"),
    ],
)
def test_where_it_computes(monkeypatch, device, card, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: card)
    assert resolve_device(device) == torch.device(expected)


def test_a_card_that_is_not_there_is_an_error_of_input(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no graphics card"):
        resolve_device("cuda")
    with pytest.raises(ValueError, match="tpu"):
        resolve_device("tpu")

"""Ranks among training photographs: counted by hand, kept in the model's file, and read back."""

import json

import numpy as np
import pytest
import torch

from riqa.assess.answers import open_session
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.learn.model import QualityNet, save_model
from riqa.learn.standing import N_QUANTILES, fit_standing, most_likely, read_standing, share_below
from tests.learn.chain import graded_noise


def spread(*ends):
    """Return quantiles of each detail between its ends."""
    return {d: np.linspace(*end, N_QUANTILES).tolist() for d, end in zip(DETAILS, ends, strict=True)}


STANDING = {"reject": spread((-4, 0), (-6, 2), (-4, 0)), "good": spread((0, 4), (1, 5), (0, 4))}


def test_shares_are_those_of_the_photographs_that_are_worse_and_the_lowest_is_the_reason():
    shares = share_below(STANDING, np.array([1.0, 2.0, -2.0]))
    assert shares["illumination"] == {"reject": 1.0, "good": pytest.approx(0.25, abs=0.01)}
    assert shares["clarity"]["good"] == pytest.approx(0.25, abs=0.01)
    assert shares["contrast"] == {"reject": pytest.approx(0.5, abs=0.01), "good": 0.0}
    tied = share_below({"good": dict.fromkeys(DETAILS, [3.0] * N_QUANTILES)}, np.array([3.0, 2.9, 3.1]))
    assert [tied[detail]["good"] for detail in DETAILS] == [0.5, 0.0, 1.0]
    # Clarity has the lowest logit but one, and yet a quarter of the good photographs are worse in it.
    assert most_likely(share_below(STANDING, np.array([0.4, 1.9, 3.0]))) == "illumination"
    # Worse than every good photograph in two details: then the rank among rejects decides.
    assert most_likely(share_below(STANDING, np.array([-1.0, 4.0, -3.0]))) == "contrast"


def test_quantiles_are_of_the_worst_and_the_best_class_alone_where_a_model_has_both():
    model, training = QualityNet("resnet10", 3, 3), graded_noise([0, 2, 1, 2, 0, -1, 2])
    standing = fit_standing(model, training)
    assert list(standing) == ["reject", "good"]
    with torch.inference_mode():
        pixels = torch.from_numpy(training.images[[1, 3, 6]]).permute(0, 3, 1, 2) / 255
        logits = model.eval()(pixels)["details"].double().numpy()
    for z, quantiles in zip(logits.T, standing["good"].values(), strict=True):
        expected = [z.min(), np.median(z), z.max()]
        np.testing.assert_allclose(np.array(quantiles)[[0, 50, 100]], expected, atol=2e-2)
    for heads, overall in (((0, 3), [0, 2]), ((3, 0), [0, 2]), ((3, 3), [2, 2, 1])):
        assert fit_standing(QualityNet("resnet10", *heads), graded_noise(overall)) == {}


def test_a_file_keeps_them_and_one_that_holds_something_else_is_named(tmp_path):
    stem, photograph = tmp_path / "model", tmp_path / "eye.png"
    photograph.touch()
    save_model(QualityNet("resnet10", 3, 3, image_size=32), stem, trained_on="toy", standing=STANDING)
    assert open_session(stem, [photograph]).standing == STANDING
    description = json.loads((tmp_path / "model.json").read_text())
    for broken in ([1], {"good": 3}, {"good": {"clarity": [1.0]}}, {"good": dict.fromkeys(DETAILS, "x")}):
        (tmp_path / "model.json").write_text(json.dumps({**description, "standing": broken}))
        with pytest.raises(InputError, match=r"standing holds no quantiles .*; train the model again"):
            open_session(stem, [photograph])
    assert read_standing({}, stem) == {}

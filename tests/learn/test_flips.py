"""Augmentation keeps labels: a Teacher that judges phantoms by plain measures is asked before and after."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional

from riqa.learn.augment import TRANSFORMS, Augmentation
from riqa.learn.examples import Examples
from riqa.learn.flips import AT_RANDOM, flip_table, strengths_of
from riqa.phantom.photograph import Exposure, render_clean

MARGIN = 0.1  # answers nearer to one half are on the fence: any change may tip them
DEFECTS = ("under_exposure", "defocus", "haze")  # of illumination, clarity, contrast
SIDE = 32


def phantoms(first, n):
    """Draw `n` patients whose details are beyond doubt: each is spoilt at severity 0.9 or not at all."""
    details = np.random.default_rng(first).integers(2, size=(n, 3))
    images = np.empty((n, SIDE, SIDE, 3), np.uint8)
    for k, number in enumerate(range(first, first + n)):
        bad = {defect: 0.9 for defect, good in zip(DEFECTS, details[k], strict=True) if not good}
        shot = number, number, ("left", "right")[k % 2], "macula", "tabletop_b", 96
        fundus = render_clean(Exposure("phantom_details", 0, *shot)).spoil(bad)
        rows, columns = (np.flatnonzero(fundus.fov_mask.any(axis)) for axis in (1, 0))
        field = fundus.image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        images[k] = cv2.resize(field, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return Examples(images, np.arange(n), {"details": torch.from_numpy(details.astype(np.float32))})


def pictures(examples):
    return torch.from_numpy(examples.images).permute(0, 3, 1, 2) / 255


class MeasuringTeacher(nn.Module):
    """Judges by what the details mean: how bright a photograph is, how much it varies, how steep edges are.

    The weights of these numbers are a logistic regression, whose solution is one and the same wherever it is
    computed. A network would be another one on every processor, and with it how many of its answers flip.
    """

    def __init__(self, examples):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        measured = self.measure(pictures(examples)).numpy()
        self.centre, self.scale = torch.from_numpy(measured.mean(0)), torch.from_numpy(measured.std(0))
        standard = (measured - measured.mean(0)) / measured.std(0)
        details = examples.targets["details"].T.numpy()
        fitted = [LogisticRegression(tol=1e-10).fit(standard, detail) for detail in details]
        self.weights = torch.from_numpy(np.stack([one.coef_[0] for one in fitted]))
        self.biases = torch.from_numpy(np.stack([one.intercept_[0] for one in fitted]))

    def measure(self, images):
        """Return logarithms of brightness, relative variation, steepness and colour: (N, 7) float64."""
        y, x = torch.meshgrid(*[torch.linspace(-1, 1, SIDE, dtype=torch.float64)] * 2, indexing="ij")
        grey, inside, well_inside = images.double().mean(1), x**2 + y**2 < 0.75, x**2 + y**2 < 0.6
        mean, spread = grey[:, inside].mean(1), grey[:, inside].std(1)
        smooth = functional.avg_pool2d(grey[:, None], 3, stride=1, padding=1)[:, 0]  # turning blurs less
        steps = torch.stack(torch.gradient(smooth, dim=(1, 2)))
        steep = steps.square().sum(0)[:, well_inside].mean(1).sqrt()
        colour = images.double()[:, :, inside].mean(2) / mean[:, None]
        return torch.stack([mean, spread / mean, steep / mean, steep / spread, *colour.T], 1).log()

    def forward(self, images):
        standard = (self.measure(images) - self.centre) / self.scale
        return {"details": standard @ self.weights.T + self.biases}


@pytest.fixture(scope="module")
def new_patients():
    return phantoms(2000, 64)


@pytest.fixture(scope="module")
def teacher(new_patients):
    """A Teacher that knows what it is asked about: of 100 answers on new patients, 90 are right."""
    model = MeasuringTeacher(phantoms(0, 240))
    right = (model(pictures(new_patients))["details"] > 0) == (new_patients.targets["details"] > 0.5)
    assert right.double().mean() > 0.9
    return model


def test_no_label_flips_inside_the_intervals_and_some_do_far_beyond(teacher, new_patients):
    """Of the answers that are clear, none flips at an end of an interval, nor as training draws."""
    tables = {
        beyond: flip_table(teacher, new_patients, Augmentation(), beyond=beyond, margin=MARGIN)
        for beyond in (10.0, 30.0)
    }
    inside = tables[10][tables[10]["strength"].abs().le(1) | tables[10]["strength"].isna()]
    assert set(inside["transformation"]) == {*TRANSFORMS, AT_RANDOM}
    assert inside["n_clear"].min() > 0.7 * inside["n"].max()  # most answers are clear: this says something
    assert inside["flipped_clear"].max() == 0, inside
    assert inside["largest"].max() < MARGIN
    most = {  # the same measure finds what ten and thirty times the strength do: it is not blind
        beyond: table[table["strength"].abs() > 1].groupby("transformation")["flipped_clear"].max()
        for beyond, table in tables.items()
    }
    assert most[10][["contrast", "saturation"]].min() > 0.05
    assert most[30]["brightness"] > 0.05


class Brightness(nn.Module):
    """Says good for illumination where the mean is above 0.5; the others are always on the fence."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, images):
        return {"details": 40 * (images.mean((1, 2, 3)) - 0.5)[:, None] * torch.tensor([1.0, 0.0, 0.0])}


def test_shares_by_hand():
    """Grey 0.45, 0.49, 0.515, 0.6 with brightness of 10 %: two of twelve answers cross one half."""
    grey = np.array([0.45, 0.49, 0.515, 0.60]) * 255
    images = np.repeat(grey.round().astype(np.uint8), 3 * 32 * 32).reshape(4, 32, 32, 3)
    examples, tenth = Examples(images, np.arange(4), {}), Augmentation(max_colour_change=0.1)
    table = flip_table(Brightness(), examples, tenth, beyond=2.0, margin=0.2)
    rows = table[table["transformation"] == "brightness"].set_index("strength")
    # Up by 10 %: only 0.49 crosses (0.45 becomes 0.495). Down by 10 %: only 0.515 does.
    assert rows.loc[1.0, ["flipped", "to_bad"]].tolist() == pytest.approx([1 / 12, 0])
    assert rows.loc[-1.0, ["flipped", "to_bad"]].tolist() == pytest.approx([1 / 12, 1 / 12])
    # Down by 20 %: 0.6 as well, whose probability was 1 / (1 + exp(-4)) = 0.982.
    assert rows.loc[-2.0, ["flipped", "largest"]].tolist() == pytest.approx([2 / 12, 0.482], abs=2e-3)
    # Clear, that is 0.2 away from one half, are 0.45 (0.12) and 0.6; 0.515 (0.63) is not quite.
    assert rows.loc[-2.0, ["n_clear", "flipped_clear"]].tolist() == [2, 1 / 2]
    assert table.loc[table["transformation"].str.endswith("flip"), "flipped"].eq(0).all()


def test_every_choice_is_alive_and_strengths_are_the_ends_and_beyond(teacher, new_patients):
    few, strong = replace(new_patients, rows=new_patients.rows[:24]), Augmentation(max_colour_change=0.3)
    base = flip_table(teacher, few, strong)
    for knob in ({"beyond": 30.0}, {"margin": 0.45}):
        assert not base.equals(flip_table(teacher, few, strong, **knob)), knob
    assert strengths_of("contrast", 5.0) == (-5.0, -1.0, 1.0, 5.0)
    assert strengths_of("vertical_flip", 5.0) == (1.0,)

"""What makes an image new: stages of a network and colours, each in units of validation images; and its file."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf

from riqa.errors import InputError
from riqa.learn import novelty as module
from riqa.learn.colours import N_NUMBERS, Mixture, colour_bands
from riqa.learn.examples import unlabelled
from riqa.learn.model import QualityNet
from riqa.learn.novelty import (
    Novelty,
    fit_novelty,
    fit_stage,
    load_novelty,
    outputs_with_stages,
    save_novelty,
    stages_of,
)

SIDE = 32
NOTHING = Mixture(np.ones(1), np.zeros((1, N_NUMBERS)), np.eye(N_NUMBERS)[None])


def images(n, seed, level=120.0):
    rng = np.random.default_rng(seed)
    return rng.normal(level, 25, (n, SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)


def as_floats(pixels):
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return QualityNet("resnet10", 3, 3, image_size=SIDE).eval()


@pytest.fixture(scope="module")
def fitted(model):
    with pytest.MonkeyPatch.context() as patch:  # what it is compared with is computed in float32
        patch.setattr("riqa.learn.predict.resolve_precision", lambda *_: "float32")
        return fit_novelty(model, unlabelled(images(80, 0)), unlabelled(images(30, 1)))


def outputs(model, pixels):
    with torch.inference_mode():
        return outputs_with_stages(model, as_floats(pixels))


def scores(model, novelty, pixels):
    return novelty.scores(outputs(model, pixels), pixels)


def test_stages_are_the_means_of_the_maps_of_a_resnet_and_nothing_else_changes(model):
    pixels = images(4, 2)
    found, net = outputs(model, pixels), model.backbone
    with torch.inference_mode():
        x = net.relu(net.bn1(net.conv1((as_floats(pixels) - model.mean) / model.std)))
        by_hand = [x]
        x = net.maxpool(x)
        for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = layer(x)
            by_hand.append(x)
        for task, logits in model(as_floats(pixels)).items():
            torch.testing.assert_close(found.pop(task), logits)
    by_hand = [x for x in by_hand if x.shape[2] > 1] + [x]  # the last, one pixel here, is h itself
    assert list(found) == [f"stage_{k}" for k in range(len(by_hand))]
    for stage, x in zip(found.values(), by_hand, strict=True):
        torch.testing.assert_close(stage, x.mean((2, 3)))
    assert not any(layer._forward_hooks for layer in model.modules())


def test_distances_are_mahalanobis_in_medians_whatever_the_scale_of_a_channel():
    rng = np.random.default_rng(0)
    x, v, z = (rng.normal(size=(n, 4)) @ rng.normal(size=(4, 4)) for n in (60, 21, 5))
    scale = np.maximum(x.std(axis=0), 0.1 * x.std(axis=0).max())
    inverse = np.linalg.inv(LedoitWolf().fit(x / scale).covariance_)
    centre = (x / scale).mean(axis=0)
    squares = [[mahalanobis(row / scale, centre, inverse) ** 2 for row in rows] for rows in (v, z)]
    found = fit_stage(x, v).distances(z)
    np.testing.assert_allclose(found, np.array(squares[1]) / np.median(squares[0]), rtol=1e-6)
    x, v, grown = rng.normal(size=(60, 3)), rng.normal(size=(20, 3)), np.array([1.0, 5.0, 2.0])
    same = fit_stage(x * grown, v * grown).distances(v * grown)  # a tenth of the largest is trusted
    np.testing.assert_allclose(same, fit_stage(x, v).distances(v))


def test_a_channel_that_never_fired_does_not_make_a_score_infinite():
    rng = np.random.default_rng(0)
    training, validation, fires = rng.normal(size=(60, 4)), rng.normal(size=(20, 4)), np.zeros((1, 4))
    training[:, 2] = validation[:, 2] = 0.0
    fires[0, 2] = 5.0
    stage = fit_stage(training, validation)
    assert np.isfinite(stage.distances(validation)).all()
    assert stage.distances(fires)[0] > 3 * stage.distances(validation).max()


def test_a_view_is_measured_by_its_validation_images(model, fitted):
    """0 is their median, and 1 here their 90 % quantile, as three of 30 are to lie beyond it."""
    held_back, new = images(30, 1), images(5, 9)

    def views(pixels):
        pairs = zip(fitted.stages, stages_of(outputs(model, pixels)), strict=True)
        network = sum(stage.distances(features) for stage, features in pairs)
        return np.column_stack([network, fitted.bands.surprise(colour_bands(pixels))])

    usual, one = np.percentile(views(held_back), [50, 90], axis=0)
    expected = (views(new) - usual) / (one - usual)
    np.testing.assert_allclose(scores(model, fitted, new), expected, rtol=1e-2, atol=1e-2)


def test_brighter_and_greyer_images_than_ever_seen_are_new_and_another_network_is_refused(model, fitted):
    alike, brighter = (scores(model, fitted, images(40, 5, level)).max(axis=1) for level in (120.0, 200.0))
    assert np.mean(alike > fitted.threshold()) < 0.2
    assert (brighter > fitted.threshold(1.0)).all()
    # Grey noise in place of coloured, as bright and as strong, where the network sees nothing.
    grey = np.repeat(images(20, 7)[..., :1], 3, axis=3)
    blind = replace(fitted, stages=[replace(stage, median=1e9) for stage in fitted.stages])
    assert (scores(model, blind, grey)[:, 1] > fitted.threshold(1.0)).all()
    with pytest.raises(ValueError, match="stages are"):
        scores(QualityNet("resnet18", 3, 0, image_size=SIDE).eval(), fitted, images(2, 0))


HAND = np.array([[0.0, 40.0], [1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 0.0]])
"""Five images; medians 2 and 20, 75 % quantiles 3 and 30, so units of 1 and 10: the largest view of each is 2
(the colours of the first), -1, 0, 1 and 2 (what the network sees of the last)."""


def column(n, rank):
    """Return both views of n images alike, 1 .. n, and the limit if it stands on the one of that rank."""
    values = np.arange(1.0, n + 1)
    usual, one = np.quantile(values, [0.5, min(max(1 - 3 / n, 0.75), 0.99)])
    return np.column_stack([values, values]), (rank - usual) / (one - usual)


@pytest.mark.parametrize(
    ("quantile", "validation", "limit"),
    [(1.0, HAND, 2.0), (0.5, HAND, 1.0), (0.33, HAND, 0.0)]
    + [(q, *column(n, rank)) for n, q, rank in ((100, 0.98, 99), (100, 0.5, 51), (100, 1.0, 100))]
    + [(q, *column(n, rank)) for n, q, rank in ((12, 0.98, 12), (199, 0.98, 196))],
)
def test_the_limit_stands_on_the_largest_view_of_a_validation_image(quantile, validation, limit):
    novelty = Novelty((), NOTHING, validation)
    assert novelty.threshold(quantile) == pytest.approx(limit)
    for wrong in (0.0, 1.1):
        with pytest.raises(ValueError, match=str(wrong)):
            novelty.threshold(wrong)


@pytest.mark.parametrize(("n", "quantile", "most"), [(10, 0.9, 0.13), (99, 0.9, 0.13), (300, 0.99, 0.015)])
def test_false_alarms_are_about_as_rare_as_stated(n, quantile, most):
    """Over many draws of validation images and one more of their kind, in two views that are independent."""
    rng, alarms = np.random.default_rng(0), []
    for _ in range(2000):
        novelty = Novelty((), NOTHING, rng.exponential(size=(n, 2)))
        another = novelty._in_units(rng.exponential(size=(1, 2)))
        alarms.append(another.max() > novelty.threshold(quantile))
    assert (1 - quantile) / 2 < np.mean(alarms) < most


def test_of_many_training_images_some_are_enough(model, monkeypatch):
    def spread(most, most_photographs):
        monkeypatch.setattr(module, "MOST_IMAGES", most)
        monkeypatch.setattr(module, "MOST_PHOTOGRAPHS", most_photographs)
        return fit_novelty(model, unlabelled(images(40, 0)), unlabelled(images(10, 1))).validation

    all_of_them, more_than_there_are, few = spread(40, 40), spread(1000, 1000), spread(10, 20)
    assert np.array_equal(all_of_them, more_than_there_are)
    assert not np.isclose(all_of_them, few).all(axis=0).any()


@pytest.mark.parametrize("n", [2, 5, 33])
def test_few_images_of_ones_own_are_enough(model, n):
    novelty = fit_novelty(model, unlabelled(images(n, 0)), unlabelled(images(n, 1)))
    assert np.isfinite(scores(model, novelty, images(3, 2))).all()
    assert np.isfinite(novelty.threshold())


@pytest.fixture
def file(fitted, tmp_path):
    save_novelty(fitted, tmp_path / "m-s0")
    return tmp_path / "m-s0.novelty.safetensors"


def test_what_is_written_is_read(model, fitted, file):
    assert list(file.parent.iterdir()) == [file]
    again, new = load_novelty(file.parent / "m-s0"), images(5, 9)
    np.testing.assert_allclose(scores(model, again, new), scores(model, fitted, new), rtol=1e-2, atol=1e-2)
    assert again.threshold() == pytest.approx(fitted.threshold(), rel=1e-2)
    assert load_novelty(file.parent / "other") is None


def without(prefix):
    return lambda tensors: {name: x for name, x in tensors.items() if not name.startswith(prefix)}


def changed(name, change):
    return lambda tensors: tensors | {name: np.ascontiguousarray(change(tensors[name]))}


def older(tensors):
    """Return what versions before the colours wrote."""
    return without("bands.")(tensors) | {"validation": tensors["validation"][:, 0].copy()}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [  # numbers that no fit could have given, parts that lack, an older version
        (changed("0.mean", lambda x: x[:-1]), "do not fit each other"),
        (changed("0.precision", lambda x: x * np.nan), "numbers in it cannot be"),
        (changed("0.median", lambda x: x * 0), "numbers in it cannot be"),
        (changed("validation", lambda x: x[:0]), "do not fit each other"),
        (changed("validation", lambda x: x * np.nan), "numbers in it cannot be"),
        (changed("bands.roots", lambda x: x[:, :-1]), "do not fit each other"),
        (changed("bands.roots", lambda x: x * 0), "numbers in it cannot be"),
        (changed("bands.weights", lambda x: -x), "numbers in it cannot be"),
        (without("0.scale"), "0.scale"),
        (without("bands.means"), "bands.means"),
        (older, "older versions"),
        (None, ""),
    ],
)
def test_a_file_that_is_torn_or_that_no_fit_gave_is_refused(file, spoil, reason):
    if spoil is None:
        file.write_bytes(file.read_bytes()[:1000])
    else:
        save_file(spoil(load_file(file)), file)
    message = rf"m-s0\.novelty\.safetensors: cut short or no such file.*{reason}.*train the model again"
    with pytest.raises(InputError, match=message):
        load_novelty(file.parent / "m-s0")

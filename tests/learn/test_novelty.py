import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf

from riqa.errors import InputError
from riqa.learn import novelty as module
from riqa.learn.examples import unlabelled
from riqa.learn.model import QualityNet
from riqa.learn.novelty import (
    Novelty,
    Stage,
    fit_novelty,
    load_novelty,
    outputs_with_stages,
    save_novelty,
)

SIDE = 32


def images(n, seed, level=120.0):
    rng = np.random.default_rng(seed)
    return rng.normal(level, 25, (n, SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)


def as_tensor(pixels):
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return QualityNet("resnet10", 3, 3, image_size=SIDE).eval()


@pytest.fixture(scope="module")
def fitted(model):
    with pytest.MonkeyPatch.context() as patch:  # what it is compared with is computed in float32
        patch.setattr("riqa.learn.inference.resolve_precision", lambda *_: "float32")
        return fit_novelty(model, unlabelled(images(80, 0)), unlabelled(images(30, 1)))


def outputs(model, pixels):
    with torch.inference_mode():
        return outputs_with_stages(model, as_tensor(pixels))


def test_stages_are_the_means_of_the_maps_of_a_resnet(model):
    pixels = images(4, 2)
    found = outputs(model, pixels)
    with torch.inference_mode():
        net = model.backbone
        x = net.relu(net.bn1(net.conv1((as_tensor(pixels) - model.mean) / model.std)))
        by_hand = [x]
        x = net.maxpool(x)
        for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = layer(x)
            by_hand.append(x)
    by_hand = [x for x in by_hand if x.shape[2] > 1] + [x]  # the last, one pixel here, is h itself
    names = [name for name in found if name.startswith("stage_")]
    assert names == [f"stage_{k}" for k in range(len(by_hand))]
    for name, x in zip(names, by_hand, strict=True):
        torch.testing.assert_close(found[name], x.mean((2, 3)))


def test_logits_are_the_models_and_no_hook_stays(model):
    pixels = images(4, 2)
    found = outputs(model, pixels)
    with torch.inference_mode():
        for task, logits in model(as_tensor(pixels)).items():
            torch.testing.assert_close(found[task], logits)
    assert not any(layer._forward_hooks for layer in model.modules())


def test_scores_are_sums_of_mahalanobis_distances_in_medians(model, fitted):
    known, held_back, new = (outputs(model, images(n, seed)) for n, seed in ((80, 0), (30, 1), (5, 9)))
    expected = np.zeros(5)
    for name in (name for name in new if name.startswith("stage_")):
        x, v, z = (found[name].double().numpy() for found in (known, held_back, new))
        scale = np.maximum(x.std(axis=0), 0.1 * x.std(axis=0).max())
        inverse = np.linalg.inv(LedoitWolf().fit(x / scale).covariance_)
        centre = (x / scale).mean(axis=0)
        median = np.median([mahalanobis(row / scale, centre, inverse) ** 2 for row in v])
        expected += [mahalanobis(row / scale, centre, inverse) ** 2 / median for row in z]
    np.testing.assert_allclose(fitted.scores(new), expected, rtol=1e-3)


def test_brighter_images_than_ever_seen_are_new(model, fitted):
    alike, brighter = (
        fitted.scores(outputs(model, images(40, 5))),
        fitted.scores(outputs(model, images(40, 5, 200))),
    )
    assert np.mean(alike > fitted.threshold()) < 0.15
    assert (brighter > fitted.threshold(1.0)).all()


@pytest.mark.parametrize(
    ("n", "quantile", "rank"),
    [(100, 0.98, 99), (100, 0.5, 51), (100, 1.0, 100), (12, 0.98, 12), (199, 0.98, 196)],
)
def test_the_threshold_is_a_validation_score(n, quantile, rank):
    assert Novelty((), np.arange(1.0, n + 1)).threshold(quantile) == rank


def test_false_alarms_are_as_rare_as_stated():
    """Over many draws of validation images and one more of their kind: 1 - quantile, as 100 is 10 tens."""
    rng = np.random.default_rng(0)
    alarms = [rng.normal() > Novelty((), np.sort(rng.normal(size=99))).threshold(0.9) for _ in range(20_000)]
    assert np.mean(alarms) == pytest.approx(0.1, abs=0.008)


@pytest.mark.parametrize("quantile", [0.0, 1.1])
def test_a_quantile_is_a_share(fitted, quantile):
    with pytest.raises(ValueError, match=str(quantile)):
        fitted.threshold(quantile)


def test_what_is_written_is_read(model, fitted, tmp_path):
    save_novelty(fitted, tmp_path / "m-s0")
    assert [file.name for file in tmp_path.iterdir()] == ["m-s0.novelty.safetensors"]
    again = load_novelty(tmp_path / "m-s0")
    new = outputs(model, images(5, 9))
    np.testing.assert_allclose(again.scores(new), fitted.scores(new), rtol=1e-3)
    assert again.threshold() == pytest.approx(fitted.threshold())


def test_no_file_is_none_and_a_torn_one_is_an_error(fitted, tmp_path):
    assert load_novelty(tmp_path / "m") is None
    save_novelty(fitted, tmp_path / "m")
    file = tmp_path / "m.novelty.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"m\.novelty\.safetensors: cut short.*train the model again"):
        load_novelty(tmp_path / "m")


def test_another_network_is_refused(fitted):
    other = QualityNet("resnet18", 3, 0, image_size=SIDE).eval()
    with pytest.raises(ValueError, match="stages are"):
        fitted.scores(outputs(other, images(2, 0)))


def test_a_channel_that_never_fired_does_not_make_a_score_infinite():
    rng = np.random.default_rng(0)
    training, validation = rng.normal(size=(60, 4)), rng.normal(size=(20, 4))
    training[:, 2] = validation[:, 2] = 0.0
    stage = module._fit_stage(training, validation)
    fires = np.zeros((1, 4))
    fires[0, 2] = 5.0
    assert np.isfinite(stage.distances(validation)).all()
    assert stage.distances(fires)[0] > 3 * stage.distances(validation).max()


def test_the_scale_of_a_channel_does_not_matter():
    rng = np.random.default_rng(0)
    training, validation = rng.normal(size=(60, 3)), rng.normal(size=(20, 3))
    grown = np.array([1.0, 5.0, 2.0])  # within the tenth below which a scale is not trusted
    one, other = (
        module._fit_stage(training, validation),
        module._fit_stage(training * grown, validation * grown),
    )
    np.testing.assert_allclose(one.distances(validation), other.distances(validation * grown))
    assert isinstance(one, Stage)


def test_of_many_training_images_some_are_enough(model, monkeypatch):
    def spread(most):
        monkeypatch.setattr(module, "MOST_IMAGES", most)
        return fit_novelty(model, unlabelled(images(40, 0)), unlabelled(images(10, 1)))

    all_of_them, more_than_there_are, few = spread(40), spread(1000), spread(10)
    assert np.array_equal(all_of_them.validation, more_than_there_are.validation)
    assert not np.allclose(all_of_them.validation, few.validation)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("0.scale"),
        lambda tensors: tensors.update({"0.mean": tensors["0.mean"][:-1]}),
        lambda tensors: tensors.update({"0.precision": tensors["0.precision"] * np.nan}),
        lambda tensors: tensors.update({"0.median": np.zeros(1, np.float32)}),
        lambda tensors: tensors.update({"validation": tensors["validation"][:0]}),
    ],
)
def test_numbers_that_no_fit_gave_are_refused(fitted, tmp_path, change):
    save_novelty(fitted, tmp_path / "m")
    file = tmp_path / "m.novelty.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)
    with pytest.raises(InputError, match=r"m\.novelty\.safetensors: cut short or no such file.*train"):
        load_novelty(tmp_path / "m")

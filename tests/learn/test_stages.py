import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf

from riqa.learn.model import QualityNet
from riqa.learn.stages import Stage, fit_stage, outputs_with_stages

SIDE = 32


def images(n, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.normal(120, 25, (n, SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return QualityNet("resnet10", 3, 3, image_size=SIDE).eval()


def outputs(model, given):
    with torch.inference_mode():
        return outputs_with_stages(model, given)


def test_stages_are_the_means_of_the_maps_of_a_resnet(model):
    pixels = images(4, 2)
    found = outputs(model, pixels)
    with torch.inference_mode():
        net = model.backbone
        x = net.relu(net.bn1(net.conv1((pixels - model.mean) / model.std)))
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
        for task, logits in model(pixels).items():
            torch.testing.assert_close(found[task], logits)
    assert not any(layer._forward_hooks for layer in model.modules())


def test_distances_are_mahalanobis_in_medians():
    rng = np.random.default_rng(0)
    x, v, z = (rng.normal(size=(n, 4)) @ rng.normal(size=(4, 4)) for n in (60, 21, 5))
    scale = np.maximum(x.std(axis=0), 0.1 * x.std(axis=0).max())
    inverse = np.linalg.inv(LedoitWolf().fit(x / scale).covariance_)
    centre = (x / scale).mean(axis=0)
    median = np.median([mahalanobis(row / scale, centre, inverse) ** 2 for row in v])
    expected = [mahalanobis(row / scale, centre, inverse) ** 2 / median for row in z]
    np.testing.assert_allclose(fit_stage(x, v).distances(z), expected, rtol=1e-6)


def test_a_channel_that_never_fired_does_not_make_a_score_infinite():
    rng = np.random.default_rng(0)
    training, validation = rng.normal(size=(60, 4)), rng.normal(size=(20, 4))
    training[:, 2] = validation[:, 2] = 0.0
    stage = fit_stage(training, validation)
    fires = np.zeros((1, 4))
    fires[0, 2] = 5.0
    assert np.isfinite(stage.distances(validation)).all()
    assert stage.distances(fires)[0] > 3 * stage.distances(validation).max()


def test_the_scale_of_a_channel_does_not_matter():
    rng = np.random.default_rng(0)
    training, validation = rng.normal(size=(60, 3)), rng.normal(size=(20, 3))
    grown = np.array([1.0, 5.0, 2.0])  # within the tenth below which a scale is not trusted
    one, other = (
        fit_stage(training, validation),
        fit_stage(training * grown, validation * grown),
    )
    np.testing.assert_allclose(one.distances(validation), other.distances(validation * grown))
    assert isinstance(one, Stage)

"""Places of defects as labels: where the phantom knows them, how they move, and a training that learns."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit
from torch import nn
from torch.nn import functional

from riqa.data.fields import curated_fields
from riqa.evaluate.explain import find_map_layer
from riqa.labels import DETAILS
from riqa.learn.augment import TRANSFORMS, Augmentation, apply_transforms, compose_affine
from riqa.learn.examples import Examples
from riqa.learn.model import QualityNet, load_model
from riqa.learn.runs import apply_model, execute
from riqa.learn.tasks import WeightedSum
from riqa.learn.train import train
from riqa.phantom.degrade import GROUPS
from riqa.phantom.repair import curated_case
from riqa.studies import grounding
from riqa.studies.grounding import (
    GroundedRun,
    PlaceHead,
    disagreement,
    follow,
    in_cells,
    places_of,
    spoilt,
)
from tests.learn.chain import CONFIG, same_weights


@pytest.fixture(scope="module")
def truth(photographs, graded_store):
    told = pd.read_parquet(photographs / "truth.parquet").set_index("image_id")
    return told.loc[graded_store.manifest["image_id"]].reset_index()


def test_places_are_those_of_the_photographs_though_none_is_drawn(photographs, graded_store, truth):
    """Against masks that were made with the photographs and cropped like them."""
    fields, errors = curated_fields(graded_store, range(len(truth))), []
    for field, row in zip(fields, truth.to_dict("records"), strict=True):
        drawn, found = curated_case(photographs, row["image_id"], 32), spoilt(field, row)
        assert found.shape == (3, 32, 32)
        for mask, detail in zip(found, DETAILS, strict=True):
            own = [drawn.masks[defect] for defect in GROUPS[detail] if defect in drawn.masks]
            expected = np.max(own, axis=0) if own else np.zeros((32, 32))
            both = field & drawn.fov_mask
            errors.append(np.abs(mask - expected)[both].mean())
            if not own:
                assert not mask.any()
    # A field that is found is off by part of a pixel, and a thin spot has fewer pixels here.
    assert np.median(errors) < 0.01
    assert np.mean(errors) < 0.03


def test_cells_by_hand_and_a_defect_that_is_everywhere_is_alike_in_all():
    field = torch.ones(4, 4, dtype=torch.bool)
    field[:2, :2] = torch.tensor([[False, False], [False, True]])
    field[2:, 2:] = False
    mask = torch.arange(16.0).view(1, 4, 4) / 16
    expected = [[5 / 16, (2 + 3 + 6 + 7) / 64], [(8 + 9 + 12 + 13) / 64, 0]]
    torch.testing.assert_close(in_cells(mask, field, 2), torch.tensor([expected]))
    whole = in_cells(torch.full((1, 4, 4), 0.3), field, 2)[0]
    torch.testing.assert_close(whole, torch.tensor([[0.3, 0.3], [0.3, 0.0]]))


def test_places_of_a_store_are_in_its_order(graded_store, truth):
    grids = places_of(graded_store, truth, 4)
    assert grids.shape == (len(truth), 3, 4, 4)
    assert grids.min() >= 0
    assert grids.max() <= 1
    for k, detail in enumerate(DETAILS):
        present = truth[list(GROUPS[detail])].gt(0).any(axis=1).to_numpy()
        assert not grids[~present, k].any()
    row = int(grids.std(axis=(2, 3)).sum(axis=1).argmax())
    field, mask = (
        curated_fields(graded_store, [row])[0],
        spoilt(curated_fields(graded_store, [row])[0], truth.iloc[row]),
    )
    for y, x in ((0, 0), (1, 2), (3, 3)):
        cell = np.s_[8 * y : 8 * y + 8, 8 * x : 8 * x + 8]
        inside = field[cell]
        wanted = [one[cell][inside].mean() if inside.any() else 0 for one in mask]
        np.testing.assert_allclose(grids[row, :, y, x], wanted, atol=1e-5)


def test_grids_follow_their_photographs():
    """The cells of a moved photograph are the moved cells: exactly when mirrored, nearly when turned."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(4, 3, 4, 4, generator=generator)
    images = functional.interpolate(coarse, 64, mode="bilinear", align_corners=False)  # smooth
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    field = x**2 + y**2 < 1
    cells = lambda pictures: torch.stack([in_cells(one, field, 4) for one in pictures])  # noqa: E731
    before, augmentation = cells(images * field), Augmentation(max_rotation=15)
    for steps, tolerance in ((["horizontal_flip"], 0.02), (["vertical_flip"], 0.02), (["rotation"], 0.15)):
        names = torch.tensor([[TRANSFORMS.index(step) for step in steps]] * 4)
        strengths = torch.ones(names.shape)
        moved = apply_transforms(images * field, names, strengths, augmentation)
        maps = compose_affine(names, strengths, augmentation)
        after = follow(before, maps)
        assert (after - cells(moved)).abs().max() < tolerance, steps
        assert (before - cells(moved)).abs().max() > 0.2, steps
    mirror = torch.tensor([[[-1.0, 0.0], [0.0, 1.0]]]).repeat(4, 1, 1)
    torch.testing.assert_close(follow(coarse, mirror), coarse.flip(3))
    torch.testing.assert_close(follow(coarse, torch.eye(2).repeat(4, 1, 1)), coarse)


def test_the_loop_moves_the_targets_of_a_task_with_its_images(monkeypatch):
    """Images that are bright where their grids are: whatever augmentation does, both agree."""
    rng = np.random.default_rng(0)
    grids = rng.random((16, 3, 2, 2)).astype(np.float32)
    bright = np.repeat(np.repeat(grids, 16, axis=2), 16, axis=3)
    images = (40 + 200 * bright).astype(np.uint8).transpose(0, 2, 3, 1)
    examples = Examples(
        images,
        np.arange(16),
        {"overall": torch.zeros(16).long(), "where": torch.from_numpy(grids)},
    )
    seen = []

    def noted(network, objective, batches, *others):
        seen.extend((inputs[0].clone(), targets["targets"]["where"].clone()) for inputs, targets in batches)
        return torch.zeros(1)

    monkeypatch.setattr("riqa.learn.train.train_epoch", noted)
    model = QualityNet("resnet10", 3, 0, image_size=32, further={"where": 12})
    model.heads["where"] = nn.Sequential(model.heads["where"], nn.Unflatten(1, (3, 2, 2)))
    flips = Augmentation(max_transforms=3, max_rotation=0, max_colour_change=0)
    config = replace(CONFIG, epochs=1, augmentation=flips)
    tasks, weighting = (grounding.WHERE,), WeightedSum({"where": 1.0})
    train(model, examples, examples, config, tasks=tasks, weighting=weighting)
    changed = 0
    for shown, targets in seen:
        brightness = functional.adaptive_avg_pool2d(shown * 255, 2)
        torch.testing.assert_close((brightness - 40) / 200, targets, atol=0.01, rtol=0)
        changed += sum(not any(torch.allclose(one, torch.from_numpy(g)) for g in grids) for one in targets)
    assert changed > 0


def test_without_places_it_is_the_training_of_the_book(toy):
    history, predictions = execute(toy)
    kept = load_model(toy.stem)[0]
    again = grounding.learn(GroundedRun(**vars(toy)))
    pd.testing.assert_frame_equal(again[0], history)
    pd.testing.assert_frame_equal(again[1], predictions)
    assert again[2] is None
    assert same_weights(load_model(toy.stem)[0], kept)


def test_a_third_head_learns_its_places(toy):
    places = np.zeros((40, 3, 2, 2), np.float32)
    places[:, :, 0, 1], places[:, 1, 1, 0] = 0.9, 0.6
    run = GroundedRun(**vars(replace(toy, model="grounded")), places=places, lambda_where=3.0, min_side=2)
    still = {"augmentation": Augmentation(max_transforms=0), "kept_epoch": "last"}
    run = replace(run, config=replace(run.config, epochs=8, **still))
    light = replace(run, model="light", lambda_where=1e-6)
    history, predictions, found = grounding.learn(pickle.loads(pickle.dumps(run)))
    *_, unlearned = grounding.learn(light)
    assert found.shape == (8, 3, 2, 2)
    target = np.broadcast_to(places[0], found.shape)
    learned, unlearned = (np.abs(expit(logits) - target).mean() for logits in (found, unlearned))
    assert learned < 0.7 * unlearned
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[1]
    assert predictions["p_clarity"].notna().all()
    model, _ = load_model(run.stem)
    assert set(model.heads) == {"overall", "details"}  # the third is taken off
    pd.testing.assert_frame_equal(apply_model(run), predictions)
    average = replace(run, config=replace(run.config, epochs=1, ema_decay=0.5))
    assert grounding.learn(average)[2].shape == (8, 3, 2, 2)  # a copy of the network has a head of its own


def test_the_third_head_reads_each_cell_of_a_layer_by_itself():
    torch.manual_seed(0)
    model, images = QualityNet("resnet10", 3, 0, image_size=64).eval(), torch.rand(3, 3, 64, 64)
    layer, layout = find_map_layer(model, images, 4)
    model.heads["where"], kept = PlaceHead(layer, layout, 4), []
    layer.register_forward_hook(lambda *told: kept.append(told[-1]))
    with torch.no_grad():
        found = model(images)["where"]
    convolution = model.heads["where"].logits
    assert kept[0].shape[2:] == (4, 4)
    expected = torch.einsum("dk,nkyx->ndyx", convolution.weight[..., 0, 0], kept[0])
    torch.testing.assert_close(found, expected + convolution.bias[:, None, None], atol=1e-4, rtol=1e-4)
    model.heads["where"].side = 2
    with torch.no_grad():
        coarse = model(images)["where"]
    torch.testing.assert_close(coarse[..., 0, 1], found[..., :2, 2:].mean(dim=(2, 3)), atol=1e-4, rtol=1e-4)


def test_details_and_places_disagree_by_hand():
    """At the experts' threshold in the worst cell, a detail is as likely bad as good."""
    logit = lambda p: math.log(p / (1 - p))  # noqa: E731
    places = torch.full((2, 3, 2, 2), -9.0)
    places[0, 0, 1, 0], places[1, 1, 0, 1] = logit(0.45), 9.0
    details = torch.tensor([[0.0, 9.0, -9.0], [9.0, -9.0, logit(0.25)]])
    found = disagreement(details, places)
    odd = 0.75**2  # the head says bad with 0.75, and no cell is spoilt
    expected = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, odd]])
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


def test_an_agreement_changes_the_training_and_is_another_elsewhere(toy):
    rng = np.random.default_rng(0)
    places = rng.random((40, 3, 2, 2)).astype(np.float32)
    run = GroundedRun(**vars(replace(toy, model="apart")), places=places, min_side=2)
    said = [
        grounding.learn(replace(run, model=model, **own))[2]
        for model, own in {
            "apart": {},
            "agreement": {"lambda_agree": 50.0},
            "elsewhere": {"lambda_agree": 50.0, "elsewhere": True},
        }.items()
    ]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(said[one] - said[other]).max() > 1e-3
    model, _ = load_model(replace(run, model="agreement").stem)
    assert set(model.heads) == {"overall", "details"}

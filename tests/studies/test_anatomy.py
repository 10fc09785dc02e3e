"""Disc and fovea as labels: where they are in a drawn photograph and in its crop, and how they move."""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from riqa.data.fields import field_from, in_crop
from riqa.data.fov import crop_to_fov
from riqa.files import read_parquet
from riqa.learn.augment import TRANSFORMS, Augmentation, apply_transforms, compose_affine
from riqa.phantom import photograph
from riqa.phantom.eye import draw_eye
from riqa.phantom.photograph import Exposure, landmarks, render_clean
from riqa.studies import grounding
from riqa.studies.anatomy import ANATOMY, PointHead, distance, follow, points_of
from riqa.studies.grounding import GroundedRun


@pytest.fixture(scope="module")
def truth(photographs, graded_store):
    told = pd.read_parquet(photographs / "truth.parquet").set_index("image_id")
    return told.loc[graded_store.manifest["image_id"]].reset_index()


@pytest.mark.parametrize(("side", "view"), [("left", "macula"), ("right", "macula"), ("left", "disc")])
def test_disc_and_fovea_are_where_the_photograph_changes_with_them(monkeypatch, side, view):
    """The same photograph of the same eye but for a larger disc, or a darker macula."""
    exposure = Exposure("phantom_grades", 0, 3, 7, side, view, "tabletop_c", 256)
    disc, fovea = landmarks(exposure)

    def drawn(**traits):
        def changed(*told):
            eye = draw_eye(*told)
            plain = {"vessels": [], "textures": [0 * one for one in eye.textures], "lesions": eye.lesions[:0]}
            return replace(eye, traits=eye.traits | traits, **plain)

        monkeypatch.setattr(photograph, "draw_eye", changed)
        return render_clean(exposure).image.astype(float).sum(axis=2)

    for place, few, many in (
        (disc, {"disc_diameter": 4.4}, {"disc_diameter": 7.0}),
        (fovea, {"macula": 0.3}, {"macula": 1.2}),
    ):
        change = np.abs(drawn(**many) - drawn(**few))
        y, x = np.nonzero(cv2.GaussianBlur(change, (0, 0), 2) > change.max() / 3)
        centre = np.array([x.min() + x.max(), y.min() + y.max()]) / 2
        assert np.hypot(*(centre - place)) < 4, "pixels, of 320"


def test_points_lie_in_the_crop_where_a_dot_lies_there(graded_store):
    rows = read_parquet(graded_store.root / "fields.parquet").itertuples()
    for row in list(rows)[:8]:
        fov = field_from(row)
        left, top, right, bottom = fov.bbox
        place = np.array([left + 0.6 * (right - left), top + 0.4 * (bottom - top)])
        picture = np.zeros((*fov.shape, 3), np.uint8)
        cv2.circle(picture, place.round().astype(int).tolist(), 3, (255, 255, 255), -1)
        crop = crop_to_fov(picture, fov, 64)[..., 0].astype(float)
        y, x = np.indices(crop.shape)
        seen = np.array([(x * crop).sum(), (y * crop).sum()]) / crop.sum()
        found = (in_crop(place.round()[None], row, 64)[0] + 1) / 2 * 64 - 0.5
        np.testing.assert_allclose(found, seen, atol=0.5)


def test_points_of_a_store_lie_in_its_fields_and_are_alike_in_both_views(graded_store, truth):
    points = points_of(graded_store, truth)
    assert points.shape == (len(truth), 2, 2)
    assert points.dtype == np.float32
    known = ~np.isnan(points)
    assert known.mean() > 0.9
    assert np.abs(points[known]).max() <= 1
    x = points[..., 0]
    right = (truth["eye"] == "right").to_numpy()
    apart = x[:, 0] - x[:, 1]  # the disc lies nasally: to the right in a right eye
    assert (apart[right & ~np.isnan(apart)] > 0).all()
    assert (apart[~right & ~np.isnan(apart)] < 0).all()


def test_points_follow_their_photographs():
    """A white spot, and the point that says where it is, after every kind of move."""
    images = torch.zeros(4, 3, 64, 64)
    places = torch.tensor([[40, 20], [20, 24], [32, 44], [25, 30]])  # x, y
    for image, (x, y) in zip(images, places.tolist(), strict=True):
        image[:, y - 1 : y + 2, x - 1 : x + 2] = 1
    points = ((places + 0.5) / 32 - 1)[:, None].repeat(1, 2, 1)
    augmentation = Augmentation(max_rotation=15)
    for steps in (["horizontal_flip"], ["vertical_flip"], ["rotation"], ["rotation", "horizontal_flip"]):
        names = torch.tensor([[TRANSFORMS.index(step) for step in steps]] * 4)
        strengths = torch.ones(names.shape)
        moved = apply_transforms(images, names, strengths, augmentation)[:, 0]
        after = follow(points, compose_affine(names, strengths, augmentation))
        y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
        total = moved.sum(dim=(1, 2))
        centre = (
            torch.stack([(x * moved).sum(dim=(1, 2)), (y * moved).sum(dim=(1, 2))], dim=1) / total[:, None]
        )
        torch.testing.assert_close(32 * (after[:, 0] + 1) - 0.5, centre, atol=0.3, rtol=0)
        assert (after - points).abs().max() > 0.1, "the trap: a label that stays"
    lost = torch.full((1, 2, 2), torch.nan)
    assert follow(lost, torch.eye(2)[None]).isnan().all()


def test_distances_by_hand_and_only_of_points_that_are_known():
    points = torch.tensor([[[0.0, 0.0], [torch.nan, torch.nan]], [[0.5, 0.5], [0.1, -0.1]]])
    answers = torch.tensor([[[0.3, 0.4], [0.0, 0.0]], [[0.5, 0.5], [0.1, 0.1]]])
    assert distance(answers, points).item() == pytest.approx((0.25 + 0 + 0.04) / 3)
    assert distance(answers[:1, 1:], points[:1, 1:]).item() == 0


def test_a_point_is_the_mean_of_cells_that_are_chosen():
    head = PointHead(torch.nn.Identity(), lambda x: x, 4)
    head.logits = torch.nn.Identity()
    cells = torch.zeros(1, 2, 4, 4)
    cells[0, 0, 1, 3], cells[0, 1, 2, :2] = 50.0, 50.0
    head.maps = cells
    torch.testing.assert_close(head(None), torch.tensor([[[0.75, -0.25], [-0.5, 0.25]]]))
    assert (head.task, head.width) == (ANATOMY, 2)


def test_a_third_head_learns_its_points(toy):
    still = {"augmentation": Augmentation(max_transforms=0), "kept_epoch": "last", "epochs": 8}
    run = replace(toy, model="grounded", config=replace(toy.config, **still))
    points = np.tile(np.array([[0.4, -0.3], [-0.4, 0.2]], np.float32), (40, 1, 1))
    points[::5, 1] = np.nan
    run = GroundedRun(**vars(run), places=points, lambda_where=3.0, min_side=2, head=PointHead)
    *_, found = grounding.learn(run)
    *_, unlearned = grounding.learn(replace(run, model="light", lambda_where=1e-6))
    assert found.shape == (8, 2, 2)
    assert np.abs(found - points[1]).mean() < 0.7 * np.abs(unlearned - points[1]).mean()

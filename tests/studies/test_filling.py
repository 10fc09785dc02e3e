"""Sequences of one eye: severities that wander, and a defect that comes and goes."""

import numpy as np
import pandas as pd
import pytest

from riqa.data.curate import curate
from riqa.files import tree_digests
from riqa.labels import DETAILS
from riqa.phantom.degrade import DEFECTS, GROUPS
from riqa.phantom.photograph import case
from riqa.phantom.raters import overall_score, perceived_severity
from riqa.phantom.trouble import TROUBLE, draw_severities
from riqa.studies.filling import add_sudden, draw_sequences, walk

HOW = {"length": 5, "step": 0.3, "sudden": 0.5, "size": 96}
N = {"train": 4, "val": 2, "test": 2}
BEFORE = {"under_exposure": 8.49023889010465, "defocus": 13.544021028448185, "dust": 4.898031645758549}


def wandering(n, length, step, seed=0):
    rng = np.random.default_rng(seed)
    return draw_severities(n, TROUBLE["grades"], rng, normal=lambda m: walk(length, step, rng, m))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return draw_sequences(tmp_path_factory.mktemp("sequences") / "set", N, **HOW)


@pytest.fixture(scope="module")
def truth(drawn):
    return pd.read_parquet(drawn.root / "truth.parquet")


def test_a_walk_stays_standard_normal_and_forgets_as_it_should():
    z = walk(8, 0.3, np.random.default_rng(0), 40_000)
    assert np.abs(z.mean(axis=1)).max() < 0.025  # five standard errors of a mean
    np.testing.assert_allclose(z.std(axis=1), 1, atol=0.02)
    for gap in (1, 3, 7):
        assert np.corrcoef(z[0], z[gap])[0, 1] == pytest.approx(0.91 ** (gap / 2), abs=0.02)
    still = walk(4, 0.0, np.random.default_rng(0), 3)
    np.testing.assert_array_equal(still, np.tile(still[0], (4, 1)))
    anew = walk(2, 1.0, np.random.default_rng(0), 40_000)
    assert abs(np.corrcoef(anew)[0, 1]) < 0.025


def test_the_bridge_of_the_exercise():
    """At d of g captures: s^2 d for the nearest label, s^2 d (g - d) / g for the straight line."""
    s, g, n = 0.02, 7, 40_000  # so small that the pull towards 0 is nothing
    z = walk(g + 1, s, np.random.default_rng(1), n)
    for d in (1, 2, 3):
        line = (1 - d / g) * z[0] + d / g * z[g]
        assert np.mean((z[d] - z[0]) ** 2) == pytest.approx(s**2 * d, rel=0.05)
        assert np.mean((z[d] - line) ** 2) == pytest.approx(s**2 * d * (g - d) / g, rel=0.05)


def test_every_capture_by_itself_is_like_a_photograph_of_the_books_sets():
    n = 20_000
    usual = draw_severities(n, TROUBLE["grades"], np.random.default_rng(5))
    wander = wandering(n, 4, 0.3)
    marks = (0.05, 0.45, 0.8)
    for name in DEFECTS:
        for row in wander[name]:
            shares = [[np.mean(own > mark) for mark in marks] for own in (usual[name], row)]
            np.testing.assert_allclose(*shares, atol=0.025)  # five standard errors of a difference
    together = [np.corrcoef(*(perceived_severity(one)[d].ravel() for d in ("clarity", "contrast")))[0, 1]
                for one in (usual, wander)]  # fmt: skip
    assert together[0] == pytest.approx(together[1], abs=0.05)


def test_severities_of_single_photographs_are_what_they_were():
    """Without walks nothing has changed: sums of 100 photographs, by the code before there were any."""
    drawn = draw_severities(100, TROUBLE["details"], np.random.default_rng(0))
    sums = {name: drawn[name].sum() for name in ("under_exposure", "defocus", "dust")}
    assert sums == pytest.approx(BEFORE, rel=1e-9)


def test_a_sequence_keeps_its_defects_and_their_severities_move_with_the_step():
    slow, fast = (wandering(300, 6, step) for step in (0.05, 0.4))
    for group in TROUBLE["grades"]:
        present = np.stack([fast[name] > 0 for name in GROUPS[group]])
        assert present.any(axis=1).sum(axis=0).max() <= 2  # a main one, and sometimes a second
    jumps = [np.abs(np.diff(perceived_severity(one)["clarity"], axis=0)).mean() for one in (slow, fast)]
    assert 3 * jumps[0] < jumps[1]


def test_a_sudden_defect_is_severe_is_gone_at_the_ends_and_changes_nothing_else():
    before = {name: own * 0.4 for name, own in wandering(40, 6, 0.3).items()}  # all details are good
    kept = {name: own.copy() for name, own in before.items()}
    after, where = add_sudden(before, 0.25, 2, np.random.default_rng(0))
    assert all(np.array_equal(before[name], kept[name]) for name in DEFECTS)
    assert where.any(axis=(0, 2)).sum() == 10
    assert set(where.sum(axis=(0, 2))) == {0, 2}
    assert not where[[0, -1]].any()
    seen, earlier = perceived_severity(after), perceived_severity(before)
    for k, detail in enumerate(DETAILS):
        assert (seen[detail][where[..., k]] >= 0.7).all()
        np.testing.assert_array_equal(seen[detail][~where[..., k]], earlier[detail][~where[..., k]])
    none, nowhere = add_sudden(before, 0.0, 2, np.random.default_rng(0))
    assert not nowhere.any()
    assert all(np.array_equal(none[name], before[name]) for name in DEFECTS)
    # All places between the ends occur, also where there is only one.
    assert add_sudden(before, 1.0, 4, np.random.default_rng(0))[1][1:-1].any(axis=2).all()
    begins = add_sudden(before, 1.0, 2, np.random.default_rng(0))[1].any(axis=2).argmax(axis=0)
    assert set(begins) == {1, 2, 3}


def test_it_strikes_where_a_detail_was_good_so_that_it_alone_is_to_blame():
    before = wandering(300, 6, 0.3)
    _, where = add_sudden(before, 1.0, 2, np.random.default_rng(0))
    seen = perceived_severity(before)
    good = np.stack([seen[detail] <= 0.45 for detail in DETAILS], axis=-1)
    assert good[where].all()
    next_to_it = where[1:] & ~where[:-1], where[:-1] & ~where[1:]  # begins, ends
    assert good[:-1][next_to_it[0]].all()
    assert good[1:][next_to_it[1]].all()
    hit = where.any(axis=(0, 2))
    assert not good.all(axis=0).any(axis=1)[~hit].any()  # it is left out where no detail would do
    assert 0 < hit.mean() < 1


def test_the_set_tells_what_was_drawn_and_a_sequence_is_one_eye(drawn, truth):
    assert drawn.manifest["split"].value_counts().to_dict() == {s: 5 * n for s, n in N.items()}
    by_sequence = truth.groupby("patient")
    assert (by_sequence["capture"].apply(list).map(lambda own: own == [0, 1, 2, 3, 4])).all()
    assert (by_sequence[["eye", "camera", "view"]].nunique() == 1).all(axis=None)
    assert truth["number"].is_unique
    assert truth["image_id"].equals(drawn.manifest["image_id"])
    severities = {name: truth[name].to_numpy() for name in DEFECTS}
    np.testing.assert_allclose(truth["overall_score"], overall_score(severities))
    for detail in DETAILS:
        seen = truth[f"perceived_{detail}"]
        assert (seen[truth["sudden"] == detail] >= 0.7).all()
    assert set((truth["sudden"] != "").groupby(truth["patient"]).sum()) == {0, 2}
    assert drawn.manifest[list(DETAILS)].isna().all(axis=None)
    # The severities that were drawn are those of this very sequence and capture, and so is the photograph.
    one = truth.iloc[7]
    again = case(drawn.root, one["image_id"])
    assert again.severities == pytest.approx({name: one[name] for name in DEFECTS if one[name] > 0})
    medians = drawn.ratings.groupby("image_id")["score"].median()
    assert (medians.loc[truth["image_id"]].to_numpy() == drawn.manifest["overall"]).all()
    assert drawn.manifest["overall"].nunique() == 3


def test_captures_of_an_eye_are_nearer_to_each_other_than_to_other_eyes(drawn, tmp_path):
    still = draw_sequences(tmp_path / "still", N, **HOW | {"step": 0.0, "sudden": 0.0})
    store = curate(still, tmp_path / "store", 32)
    pixels = store.images.astype(float).reshape(len(store.manifest), -1)
    eyes = store.manifest["patient_id"].to_numpy()  # a photograph may have been set aside
    apart = np.abs(pixels[:, None] - pixels).mean(axis=2)
    same = eyes[:, None] == eyes
    own = apart[same & ~np.eye(len(eyes), dtype=bool)]
    assert own.mean() < 0.8 * apart[~same].mean()
    assert own.min() > 1  # grey levels: an exposure of its own, and not a copy


def test_the_bytes_depend_on_the_seed_and_not_on_the_workers(drawn, tmp_path):
    again = draw_sequences(tmp_path / "again", N, workers=2, **HOW)
    assert tree_digests(again.root) == tree_digests(drawn.root)
    other = draw_sequences(tmp_path / "other", {"train": 1}, seed=1, **HOW)
    image = "images/p00000_00.jpg"
    assert tree_digests(other.root)[image] != tree_digests(drawn.root)[image]

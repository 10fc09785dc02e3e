"""Gates and shifts of raters: by hand, against scikit-learn, and networks that are taught with and without names."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from riqa.labels import DETAILS
from riqa.learn.runs import execute
from riqa.learn.tasks import details_loss
from riqa.studies import rater_head
from tests.learn.chain import CONFIG, a_run, write_toy_store

CONFIG = replace(CONFIG, lambda_overall=0.0, lambda_details=1.0)


def a_head(n_raters, n_details=1):
    """A head that passes its features on, one per detail."""
    shared = nn.Linear(n_details, n_details)
    nn.init.eye_(shared.weight)
    nn.init.zeros_(shared.bias)
    return rater_head.RaterHead(shared, n_raters)


def test_answers_by_hand_and_nobodys_is_the_mean():
    head = a_head(2, 2)
    with torch.no_grad():  # raters 1 and -1 from the mean in gate and shift, after the factor of sqrt(2)
        head.gates_and_shifts[0, 0], head.gates_and_shifts[1, 1] = 2**0.5, -(2**0.5)
    gates, shifts = head.raters()
    assert torch.allclose(gates, torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))
    assert torch.allclose(shifts, torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))
    found = head(torch.tensor([[0.5, -3.0]]))
    assert torch.allclose(found, torch.tensor([[0.5, -3.0, 2.0, -5.0, -1.0, -1.0]]))
    nobody, *raters = found.split(2, dim=1)
    assert torch.allclose(torch.stack(raters).mean(dim=0), nobody)


@pytest.mark.parametrize("n_raters", [2, 6])
def test_a_raters_numbers_learn_from_its_votes_as_fast_as_the_shared_ones_from_all(n_raters):
    """Half of the raters say good and half bad: a gradient of 1 / 2 in each vote, and R votes in the mean."""
    head, half = a_head(n_raters), n_raters // 2
    votes = torch.tensor([[torch.nan, *[1.0] * half, *[0.0] * half]])
    details_loss(head(torch.zeros(1, 1)), votes).backward()
    torch.optim.SGD(head.parameters(), lr=0.1).step()
    expected = torch.tensor([0.05] * half + [-0.05] * half)
    assert torch.allclose(head.raters()[1][:, 0], expected)
    assert head.shared.bias.item() == pytest.approx(0)


def test_a_new_rater_without_votes_is_nobody_and_with_a_wide_spread_a_logistic_regression():
    rng = np.random.default_rng(0)
    logits, spread = rng.normal(0, 2, 200), np.array([0.5, 0.5])
    assert rater_head.fit_rater(logits[:0], logits[:0], spread).tolist() == [0.0, 0.0]
    votes = (rng.random(200) < 1 / (1 + np.exp(-(0.6 * logits + 1.5)))).astype(float)
    free = LogisticRegression(C=1e9).fit(logits[:, None], votes)
    gate, shift = rater_head.fit_rater(logits, votes, np.array([1e4, 1e4]))
    assert (1 + gate, shift) == pytest.approx((free.coef_.item(), free.intercept_.item()), abs=1e-3)


def test_few_votes_move_a_new_rater_as_far_as_the_spread_allows():
    logits, votes = np.array([-1.0, 0.5, 2.0]), np.array([1.0, 1.0, 1.0])
    grid = np.linspace(-0.5, 1.5, 401)
    gate, shift = np.meshgrid(grid, grid, indexing="ij")
    for spread in (np.array([0.3, 0.8]), np.array([0.1, 0.2])):
        z = (1 + gate[..., None]) * logits + shift[..., None]
        cost = (np.log1p(np.exp(z)) - votes * z).sum(axis=-1)
        cost += (gate / spread[0]) ** 2 / 2 + (shift / spread[1]) ** 2 / 2
        best = [grid[k] for k in np.unravel_index(cost.argmin(), cost.shape)]
        assert rater_head.fit_rater(logits, votes, spread) == pytest.approx(best, abs=0.005)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_toy_store(tmp_path_factory.mktemp("raters"))


def a_file(folder, manifest, nobody, *raters):
    """Write targets: what nobody says, and what each rater says, (N, 3) each."""
    said = pd.DataFrame(np.concatenate([nobody, *raters], axis=1)).add_prefix("t")
    said.assign(image_id=manifest["image_id"].to_numpy()).to_parquet(folder / "said.parquet")
    return folder / "said.parquet"


def test_without_names_the_network_is_the_teacher(store, tmp_path):
    run = a_run(store, tmp_path, "teacher", config=CONFIG, n_overall=0, n_details=3)
    teacher = execute(run)[1].set_index("image_id")
    labels = store.manifest[list(DETAILS)].to_numpy()
    said = a_file(tmp_path, store.manifest, labels, *[np.full_like(labels, np.nan)] * 4)
    answers, raters = rater_head.learn(replace(run, pseudo_labels=said))
    assert answers.groupby("split").size().to_dict() == {"val": 8, "test": 8}
    assert set(answers["model"]) == {"teacher"}
    columns = [f"p_{detail}" for detail in DETAILS]
    found = answers.set_index("image_id")[columns]
    np.testing.assert_allclose(found, teacher.loc[found.index, columns], atol=1e-4)  # sums in another order
    for own in raters:
        assert own.shape == (4, 3)
        assert not own.any()


def test_raters_are_told_apart_and_truth_from_raters(store, tmp_path):
    """One calls everything good, one everything bad, and two look at the brightness; three quarters of their votes."""
    manifest, told = store.manifest, []
    bright = np.repeat((manifest["overall"] > 0).to_numpy(float)[:, None], 3, axis=1)
    said = [np.ones_like(bright), np.zeros_like(bright), bright, bright]
    voted = np.random.default_rng(0).random((4, len(bright), 1)) < 0.75
    said = [np.where(own, votes, np.nan) for own, votes in zip(voted, said, strict=True)]
    nobody = np.where((manifest["split"] == "val").to_numpy()[:, None], bright, np.nan)
    file = a_file(tmp_path, manifest, nobody, *said)
    config = replace(CONFIG, epochs=16, learning_rate=0.02, kept_epoch="last")
    run = a_run(store, tmp_path, "rater_known", config=config, n_overall=0, n_details=3, pseudo_labels=file)
    answers, (_, shifts) = rater_head.learn(run, told.append)
    losses = [record["train_loss"] for _, record, _ in told]
    assert len(losses) == 16
    assert losses[-1] < 0.8 * losses[0]
    assert (shifts[0] > shifts[2:].max(axis=0) + 0.2).all()
    assert (shifts[1] < shifts[2:].min(axis=0) - 0.2).all()
    assert np.allclose(shifts.sum(axis=0), 0, atol=1e-5)
    p = answers.groupby(answers["overall"] > 0)["p_illumination"].mean()
    assert p[True] > p[False]

"""Schemes that weigh tasks: gradients vector by vector, weights by hand, and what training makes of them."""

import ast
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from riqa.errors import InputError
from riqa.learn.augment import Augmentation
from riqa.learn.balance import SCHEMES, gram_of
from riqa.learn.config import Scheme, TrainingConfig
from riqa.learn.distributed import Processes
from riqa.learn.model import QualityNet
from riqa.learn.train import train
from tests.learn.chain import StoppedError, brightness_task, same_weights

CONFIG = TrainingConfig(3, 8, 0.02, augmentation=Augmentation(2), precision="float32")
ONES = {"overall": 1.0, "details": 1.0}
BY_TORCHJD = ("gradient_surgery", "shortest_mixture")
PULLS = st.lists(st.floats(-2, 2), min_size=4, max_size=4).map(lambda x: torch.tensor(x).view(2, 2).double())


def run(config=CONFIG, **options):
    torch.manual_seed(0)
    model = QualityNet("resnet10", 3, 3)
    return model, train(model, brightness_task(), brightness_task(24, seed=1), config, **options)


def pulled(a, b, scheme):
    """A scheme that joins two losses whose gradients at three shared numbers are a and b, and the numbers."""
    shared = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    made = SCHEMES[scheme](ONES, [shared])
    return made, shared, {"overall": torch.tensor(a) @ shared, "details": torch.tensor(b) @ shared}


def weights(scheme, gram):
    return SCHEMES[scheme](ONES, []).weights(torch.ones(2), gram)


def test_the_schemes_are_those_that_a_recipe_may_name():
    assert set(SCHEMES) == set(get_args(Scheme))


def test_weights_of_one_change_no_bit_and_are_noted():
    lambdas = replace(CONFIG, lambda_overall=0.7, lambda_details=1.3)
    (fixed, before), (equal, after) = (
        run(replace(lambdas, weighting=name)) for name in ("fixed", "equal_weights")
    )
    assert same_weights(fixed, equal)
    noted = {"weight_overall", "weight_details", "cosine", "opposed"}
    assert [record.keys() - before[0].keys() for record in after] == [set(), noted, noted, noted]
    assert str([{key: record[key] for key in before[0]} for record in after]) == str(before)
    assert all(record["weight_overall"] == record["weight_details"] == 1 for record in after[1:])


@given(PULLS)
def test_surgery_equals_projections_of_whole_gradients(pulls):
    """Yu et al. 2020, Algorithm 1, vector by vector."""
    a, b = pulls
    assume(min(a @ a, b @ b) > 1e-3)
    kept = [own - min(own @ other, 0) / (other @ other) * other for own, other in ((a, b), (b, a))]
    torch.testing.assert_close(weights("gradient_surgery", pulls @ pulls.T) @ pulls, sum(kept))


@given(PULLS)
def test_the_averse_step_serves_the_worse_task_best(pulls):
    """Liu et al. 2021, Eq. 2, against all steps on the circle around the mean."""
    pulls, mean = pulls.float(), pulls.float().mean(0)
    assume(mean.norm() > 0.1 and pulls.norm(dim=1).min() > 0.1)
    step = weights("conflict_averse", pulls @ pulls.T) @ pulls / 2
    assert (step - mean).norm() <= 0.5 * mean.norm() * 1.001
    angle = torch.linspace(0, 2 * math.pi, 721)
    tried = mean[:, None] + 0.5 * mean.norm() * torch.stack([angle.cos(), angle.sin()])
    best = (pulls @ tried).min(dim=0).values.max()
    assert (pulls @ step).min() >= best - 0.02 * pulls.norm(dim=1).max() ** 2  # the grid has steps of 0.01


@given(PULLS)
def test_the_shortest_mixture_is_the_point_nearest_to_the_origin_between_both_tips(pulls):
    """Sener and Koltun 2018, for two tasks: the foot of the perpendicular, or a tip."""
    a, b = pulls
    assume(((a - b) @ (a - b)) > 1e-2 and min(a @ a, b @ b) > 1e-3)
    share = float(((b - a) @ b / ((a - b) @ (a - b))).clamp(0, 1))
    found = weights("shortest_mixture", pulls @ pulls.T)
    torch.testing.assert_close(found, 2 * torch.tensor([share, 1 - share]).double(), atol=1e-3, rtol=0)


@given(PULLS)
def test_nash_solves_the_bargain_and_no_step_near_by_has_a_larger_product(pulls):
    """Navon et al. 2022, Section 3: of all steps of one length, the largest g1 d times g2 d."""
    length = pulls.norm(dim=1)
    assume(length.min() > 0.1 and pulls[0] @ pulls[1] > -0.95 * length.prod())
    found, gram = weights("nash", pulls @ pulls.T), pulls @ pulls.T
    torch.testing.assert_close(gram @ (found * math.sqrt(2)), 1 / (found * math.sqrt(2)))
    step = found @ pulls
    assert step.norm().item() == pytest.approx(1)
    angle = torch.linspace(0, 2 * math.pi, 721).double()
    served = pulls @ torch.stack([angle.cos(), angle.sin()])
    best = torch.where((served > 0).all(0), served.prod(0), 0).max()
    assert (pulls @ step).prod() >= best - 1e-9


def test_nash_hardly_opposed_and_opposed():
    close = torch.tensor([[1, -0.9999], [-0.9999, 1]])
    assert weights("nash", close).max() == pytest.approx(1 / math.sqrt(0.02))
    # Twice as long and at a right angle: both pull alike, in all by 1.
    torch.testing.assert_close(
        weights("nash", torch.diag(torch.tensor([4.0, 1]))), torch.tensor([0.5, 1]) / math.sqrt(2)
    )


MATRICES = [[1.0, 1, 0], [1, 0.04, 0], [0.3, 2, 0.3], [1, 1, -0.6], [4, 0.25, -0.8]]  # squares, inner product


@pytest.mark.filterwarnings("ignore::UserWarning")  # of cvxpy, about its own speed
@pytest.mark.parametrize(("a", "b", "ab"), MATRICES)
def test_what_we_keep_of_our_own_answers_as_torchjd_does(a, b, ab):
    """In the version of requirements.lock; surgery and mixture are TorchJD's, and have tests of their own."""
    aggregation = pytest.importorskip("torchjd.aggregation")
    gram = torch.tensor([[a, ab], [ab, b]])
    theirs = 2 * aggregation.CAGradWeighting(c=0.5)(gram)
    torch.testing.assert_close(
        weights("conflict_averse", gram), theirs, atol=0.02, rtol=0.02
    )  # the grid's steps
    pulls = torch.linalg.cholesky(gram)
    theirs = aggregation.NashMTL(2)(pulls)
    torch.testing.assert_close(weights("nash", gram) @ pulls, theirs, atol=1e-3, rtol=1e-3)  # their solver's


def test_a_rule_of_torchjd_says_what_to_install_and_others_do_without(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchjd.aggregation", None)
    for scheme in SCHEMES.keys() - set(BY_TORCHJD):
        SCHEMES[scheme](ONES, [])
    for scheme in BY_TORCHJD:
        with pytest.raises(InputError, match="pip install") as told:
            SCHEMES[scheme](ONES, [])
        assert len(str(told.value).splitlines()) == 1


def test_torchjd_is_imported_by_those_alone_who_ask_for_it():
    source = Path(sys.modules["riqa.learn.balance"].__file__).read_text()
    imports = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert not [node for node in imports if "torchjd" in ast.unparse(node)]


def test_an_order_that_a_rule_draws_takes_no_number_from_dropout():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    weights("gradient_surgery", torch.tensor([[1, -0.6], [-0.6, 1]]))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    ("scheme", "held"),
    [("shortest_mixture", True), ("nash", True), ("conflict_averse", True), ("gradient_surgery", False)],
)
def test_weights_are_held_between_two_looks_by_rules_that_do_not_look_at_every_step(scheme, held):
    made, _, losses = pulled((3.0, 0, 0), (-1.0, 1, 0), scheme)
    alike = losses | {"details": losses["overall"] + 0}
    for step in (losses, alike, alike, alike, alike):
        made(step)
    first, second, *_, fifth = [step[:2].tolist() for step in made.noted]
    assert first[0] != first[1]
    assert (first == second) == held
    assert fifth != first


def test_weights_by_gradients_by_hand():
    # (1, 0) and (-0.6, 0.8) lose (0.36, -0.48) and (-0.6, 0): (0.64, 0.48) + (0, 0.8) = 1.6 of each.
    opposed, agreed = torch.tensor([[1, -0.6], [-0.6, 1]]), torch.tensor([[1, 0.6], [0.6, 4]])
    torch.testing.assert_close(weights("gradient_surgery", opposed), torch.tensor([1.6, 1.6]))
    assert weights("gradient_surgery", agreed).tolist() == [1, 1]
    # Equally long: both serve alike in the middle, 1 + 2 (|g0| / 2) / |g0| / 2 of each.
    torch.testing.assert_close(weights("conflict_averse", opposed), torch.tensor([1.5, 1.5]))
    norms = SCHEMES["gradient_norms"](ONES, [])
    losses, gram = torch.tensor([2.0, 4.0]), torch.diag(torch.tensor([9.0, 1.0]))
    moved = torch.tensor([1 - 0.025 * 3, 1 + 0.025]) * 2 / 1.95  # lengths 3 and 1 on the way to 2
    torch.testing.assert_close(norms.weights(losses, gram), moved)
    torch.testing.assert_close(norms.weights(losses, None), moved)  # in validation
    lags = SCHEMES["gradient_norms"](ONES, [])
    assert lags.weights(losses, torch.eye(2)).tolist() == [1, 1]
    torch.testing.assert_close(
        lags.weights(torch.tensor([1.0, 4.0]), torch.eye(2)), torch.tensor([0.975, 1.025])
    )


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [("gradient_surgery", (0.64, 1.28, 0)), ("equal_weights", (0.4, 0.8, 0)), ("fixed", (0.4, 0.8, 0))],
)
def test_the_shared_layers_get_the_gradient_of_the_scheme(scheme, expected):
    made, shared, losses = pulled((1.0, 0, 0), (-0.6, 0.8, 0), scheme)
    total = made(losses)
    total.backward()
    torch.testing.assert_close(shared.grad, torch.tensor(expected))
    with torch.no_grad():  # validation has the plain sum
        assert made(losses).item() == pytest.approx(sum(losses.values()).item())


def test_inner_products_and_notes_by_hand():
    made, shared, losses = pulled((3.0, 0, 0), (-1.0, 1, 0), "gradient_surgery")
    assert gram_of(losses.values(), [shared]).tolist() == [[9, -3], [-3, 2]]
    made(losses)
    made(losses | {"details": torch.tensor([1.0, 0, 0]) @ shared})
    made(losses | {"details": shared.sum() * 0})  # knows no detail: no direction
    noted = made.end_epoch()
    assert noted["cosine"] == pytest.approx((-1 / math.sqrt(2) + 1) / 2)
    assert noted["opposed"] == 0.5
    assert noted["weight_overall"] == pytest.approx((1 + 3 / 9 + 1 + 1) / 3)
    assert noted["weight_details"] == pytest.approx((1 + 3 / 2 + 1 + 1) / 3)
    made(losses)
    assert made.end_epoch()["opposed"] == 1  # the notes of an epoch are its own


def test_equal_weights_look_at_the_gradients_of_every_eighth_step():
    made, _, losses = pulled((1.0, 0, 0), (-1.0, 0, 0), "equal_weights")
    for _ in range(9):
        made(losses)
    assert [step[-1].isnan().item() for step in made.noted] == [False, *[True] * 7, False]


def test_uncertainty_by_hand_and_where_it_ends():
    made, _, losses = pulled((0.25, 0, 0), (0, 1.0, 0), "uncertainty")  # losses 0.25 and 2
    made.log_variance.data = torch.tensor([math.log(2), 0.0])
    assert made(losses).item() == pytest.approx(0.25 / 2 + 2 + math.log(2) / 2)
    sgd = torch.optim.SGD(made.parameters(), lr=0.2)
    for _ in range(300):
        sgd.zero_grad()
        made(losses).backward(retain_graph=True)
        sgd.step()
    torch.testing.assert_close(
        torch.exp(-made.log_variance), torch.tensor([1 / 0.5, 1 / 4]), atol=1e-4, rtol=0
    )


def test_the_dynamic_average_by_hand():
    made, shared, _ = pulled((1.0, 0, 0), (1.0, 0, 0), "dynamic_average")
    for overall, details in (((1.2, 0.8), (0.7, 0.7)), ((0.5,), (0.69,))):  # epochs, of steps
        assert made.now.tolist() == [1, 1]
        for pair in zip(overall, details, strict=True):
            made(dict(zip(ONES, shared[0] * torch.tensor(pair), strict=True)))
        made.end_epoch()
    fell = [math.exp(rate / 2) for rate in (0.5 / 1.0, 0.69 / 0.7)]
    expected = torch.tensor([2 * one / sum(fell) for one in fell])
    torch.testing.assert_close(made.now, expected)
    assert expected[1] > 1 > expected[0]  # what does not fall gets more


@pytest.mark.parametrize(
    "scheme",
    ["uncertainty", "dynamic_average", "gradient_norms", "conflict_averse", "nash", "shortest_mixture"],
)
def test_weights_that_change_go_on_after_a_stop(scheme, tmp_path):
    def stop(record, images_per_second):
        if record["epoch"] == 2:
            raise StoppedError

    config, kept = replace(CONFIG, weighting=scheme, epochs=4), tmp_path / "c.safetensors"
    whole, expected = run(config)
    with pytest.raises(StoppedError):
        run(config, checkpoint=kept, on_epoch=stop)
    resumed, history = run(config, checkpoint=kept)
    assert str(history) == str(expected)
    assert same_weights(whole, resumed)
    assert history[-1]["weight_details"] != 1


def test_one_task_has_nobody_to_agree_with_and_several_processes_are_refused():
    _, history = run(replace(CONFIG, epochs=1, lambda_details=0.0, weighting="conflict_averse"))
    assert history[1]["weight_overall"] == 1
    assert math.isnan(history[1]["cosine"])
    assert math.isnan(history[1]["opposed"])
    with pytest.raises(InputError, match="set weighting to fixed"):
        run(replace(CONFIG, weighting="equal_weights"), processes=Processes(n=2))

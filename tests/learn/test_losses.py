"""The masked objective against a transcription in plain Python of Eqs. 1, 3 and 4."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from riqa.learn.losses import details_loss, overall_loss
from riqa.learn.tasks import TASKS, WeightedSum, multi_task_loss, part_scales

BOTH = {"overall": 0.7, "details": 1.3}


def slow_cross_entropy(logits, classes):
    terms = []
    for row, k in zip(logits, classes, strict=True):
        if k < 0:
            continue
        terms.append(-math.log(math.exp(row[k]) / sum(math.exp(value) for value in row)))
    return sum(terms) / len(terms) if terms else 0.0


def slow_binary_cross_entropy(logits, targets):
    terms = []
    for row, wanted in zip(logits, targets, strict=True):
        for logit, y in zip(row, wanted, strict=True):
            if math.isnan(y):
                continue
            p = 1 / (1 + math.exp(-logit))
            terms.append(-(y * math.log(p) + (1 - y) * math.log(1 - p)))
    return sum(terms) / len(terms) if terms else 0.0


scores = st.floats(-5, 5, allow_nan=False)
targets = st.one_of(st.just(math.nan), st.floats(0, 1))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.lists(scores, min_size=3, max_size=3), st.integers(-1, 2)), min_size=1, max_size=8)
)
def test_overall_loss_equals_equation_3(rows):
    logits, classes = [list(part) for part in zip(*rows, strict=True)]
    loss = overall_loss(torch.tensor(logits), torch.tensor(classes))
    assert loss.item() == pytest.approx(slow_cross_entropy(logits, classes), abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(scores, min_size=3, max_size=3), st.lists(targets, min_size=3, max_size=3)),
        min_size=1,
        max_size=8,
    )
)
def test_details_loss_equals_equation_1(rows):
    logits, wanted = [list(part) for part in zip(*rows, strict=True)]
    loss = details_loss(torch.tensor(logits), torch.tensor(wanted))
    assert loss.item() == pytest.approx(slow_binary_cross_entropy(logits, wanted), abs=1e-5)


def test_by_hand():
    # Two classes with equal scores cost log 2; a detail with logit 0 costs log 2 whatever its target.
    logits = {"overall": torch.zeros(1, 2), "details": torch.zeros(1, 3)}
    overall, details = torch.tensor([1]), torch.tensor([[1.0, 0.0, math.nan]])
    targets, weighting = (
        {"overall": overall, "details": details},
        WeightedSum({"overall": 1.0, "details": 0.5}),
    )
    loss = multi_task_loss(logits, targets, TASKS, weighting)
    assert loss.item() == pytest.approx(1.5 * math.log(2))


def test_weights_scale_their_task_alone():
    logits = {"overall": torch.randn(4, 3), "details": torch.randn(4, 3)}
    overall, details = torch.tensor([0, 1, 2, 1]), torch.rand(4, 3)

    def loss(a, b):
        targets, weights = {"overall": overall, "details": details}, {"overall": a, "details": b}
        return multi_task_loss(logits, targets, TASKS, WeightedSum(weights)).item()

    assert loss(2, 0) == pytest.approx(2 * loss(1, 0))
    assert loss(0, 3) == pytest.approx(3 * loss(0, 1))
    assert loss(2, 3) == pytest.approx(loss(2, 0) + loss(0, 3))


def test_nothing_known_costs_nothing_and_has_a_gradient():
    logits = torch.randn(2, 3, requires_grad=True)
    loss = overall_loss(logits, torch.tensor([-1, -1])) + details_loss(logits, torch.full((2, 3), math.nan))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(2, 3))


def test_unknown_entries_leave_no_gradient():
    logits = torch.randn(2, 3, requires_grad=True)
    details_loss(logits, torch.tensor([[1.0, math.nan, 0.0], [math.nan] * 3])).backward()
    assert torch.equal(logits.grad == 0, torch.tensor([[False, True, False], [True] * 3]))


def test_scales_by_hand():
    # Parts 0 and 1 know 3 and 1 of 4 grades, and 0 and 2 of 2 details.
    overall = torch.tensor([0, -1, 1, 2, 2, -1])
    details = torch.full((6, 3), math.nan)
    details[1, 0] = details[3, 2] = 1
    targets = {"overall": overall, "details": details}
    assert part_scales(targets, TASKS, 0, 2) == {"overall": 1.5, "details": 0.0}
    assert part_scales(targets, TASKS, 1, 2) == {"overall": 0.5, "details": 2.0}
    assert part_scales(targets, TASKS, 0, 1) is None


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(
        st.tuples(
            st.lists(scores, min_size=3, max_size=3),
            st.integers(-1, 2),
            st.lists(targets, min_size=3, max_size=3),
        ),
        min_size=6,
        max_size=6,
    ),
)
def test_the_mean_over_parts_is_the_loss_of_the_batch(n_parts, rows):
    """In value and in gradient, however unequally the parts know their targets, or know none at all."""
    logits, overall, details = (torch.tensor(column) for column in zip(*rows, strict=True))

    def loss_of(part, n_parts):
        leaf = logits[part::n_parts].clone().requires_grad_()
        targets = {"overall": overall, "details": details}
        own = {name: known[part::n_parts] for name, known in targets.items()}
        scales = part_scales(targets, TASKS, part, n_parts)
        both = {"overall": leaf, "details": leaf}
        loss = multi_task_loss(both, own, TASKS, WeightedSum(BOTH), scales)
        loss.backward()  # every part has a gradient, if one of zeros
        return loss.item(), leaf.grad

    whole, gradient = loss_of(0, 1)
    losses, gradients = zip(*(loss_of(part, n_parts) for part in range(n_parts)), strict=True)
    assert sum(losses) / n_parts == pytest.approx(whole, abs=1e-5)
    for part, own in enumerate(gradients):
        torch.testing.assert_close(own / n_parts, gradient[part::n_parts], atol=1e-6, rtol=0)

"""Answers that must fit: which links labels have, what breaks them, and a training that is held to them."""

import math
import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import nn

from riqa.learn.model import QualityNet
from riqa.learn.runs import execute
from riqa.studies import agreement
from riqa.studies.agreement import AgreeingRun, Agreement, links_broken, links_of


def test_links_of_labels_worked_by_hand():
    grade = np.array([True] * 10 + [False] * 5)
    details = np.ones((15, 3))
    details[:1, 0] = 0.2  # a good grade has a good first detail in 9 of 10
    details[:6, 1], details[10:, 1] = 0, 0.1  # another grade has a bad second detail in 5 of 5
    details[:5, 2], details[10:12, 2] = 0, 0  # neither: 5 of 10, and 2 of 5
    assert links_of(grade, details, 0.9) == (1, -1, 0)
    assert links_of(grade, details, 0.95) == (0, -1, 0)
    assert links_of(grade[:10], details[:10], 0.95) == (1, 0, 0), "the best is taken where none holds"


def test_links_that_are_broken_by_hand():
    grade = torch.tensor([[0.0, 0.0, math.log(2.0)], [0.0, 0.0, math.log(6.0)]])  # best: 1/2, 3/4
    details = torch.tensor(
        [[0.0, -math.log(3.0), 0.0], [math.log(3.0), math.log(9.0), 0.0]]
    )  # 1/2 1/4; 3/4 9/10
    found = links_broken(grade, details, (1, 1, 0))
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.25], [0.0, 0.0]]), atol=1e-6, rtol=0)
    found = links_broken(grade, details, (0, -1, 1))
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0], [0.15, 0.25]]), atol=1e-6, rtol=0)


def test_the_head_hears_one_photograph_or_as_a_placebo_its_neighbour():
    first, second = nn.Identity(), nn.Identity()
    for elsewhere, expected in ((False, [0.0, 0.0, 0.0]), (True, [-2.0, 1.0, 1.0])):
        head = Agreement(lambda one, other: one - other, first, second, elsewhere)
        for _ in range(2):  # nothing is left over from the batch before
            x = torch.tensor([0.0, 1.0, 2.0])
            first(x), second(x)
            assert head(torch.zeros(3)).tolist() == expected
        head.leave()
        first(x)
        assert not head.heard


def test_both_heads_and_the_backbone_feel_the_loss():
    torch.manual_seed(0)
    model = QualityNet("resnet10", 3, 3, image_size=32)
    heads = model.heads
    with torch.no_grad():
        heads["details"].bias.fill_(-5.0)  # every good grade breaks the links
    rule = partial(links_broken, signs=(1, 1, 1))
    heads["agree"] = Agreement(rule, heads["overall"], heads["details"])
    agreement.AGREE.loss(model(torch.rand(4, 3, 32, 32))["agree"], None).backward()
    for part in (heads["overall"], heads["details"], model.backbone):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())


def test_a_weight_of_nearly_nothing_is_the_training_of_the_book(toy):
    history, predictions = execute(toy)
    run = AgreeingRun(**vars(toy), signs=(1, -1, 1), lambda_agree=1e-30)
    found = agreement.learn(pickle.loads(pickle.dumps(run)))
    columns = ["p_overall_0", "p_overall_2", "p_clarity"]
    np.testing.assert_allclose(found[1][columns], predictions[columns], atol=1e-5)
    pd.testing.assert_series_equal(found[0]["train_loss"], history["train_loss"], atol=1e-5)


def test_weight_links_and_placebo_each_change_the_answers(toy):
    run = AgreeingRun(**vars(toy), signs=(1, 1, 1), lambda_agree=20.0)
    runs = [
        run,
        replace(run, lambda_agree=1e-30),
        replace(run, signs=(-1, 0, 0)),
        replace(run, elsewhere=True),
    ]
    answers = [agreement.learn(one)[1][["p_overall_2", "p_clarity"]].to_numpy() for one in runs]
    for k, one in enumerate(answers):
        for other in answers[:k]:
            assert np.abs(one - other).max() > 1e-4
    average = replace(run, config=replace(run.config, epochs=1, ema_decay=0.5))
    assert len(agreement.learn(average)[1]) == len(
        answers[0]
    )  # a copy of the network overhears its own heads

"""Networks that hear themselves: lessons by hand, and what is heard by whom."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from riqa.labels import DETAILS
from riqa.learn.augment import Augmentation
from riqa.learn.examples import Examples
from riqa.learn.model import QualityNet
from riqa.studies import own_answers
from riqa.studies.own_answers import FixMatch, MeanTeacher, SelfTaught
from tests.learn.chain import StoppedError, write_toy_store

P = [f"p_{detail}" for detail in DETAILS]
STILL = Augmentation(max_transforms=0)


@pytest.fixture
def net():
    torch.manual_seed(3)
    return QualityNet("resnet10", 2, 3, image_size=32)


@pytest.mark.parametrize(("share", "width"), [(0.0, 0), (0.25, 8), (0.4, 13), (1.0, 32)])
def test_one_square_of_each_image_is_blacked_out(share, width):
    torch.manual_seed(0)
    found = own_answers.covered(torch.ones(20, 3, 32, 32), share)
    places = set()
    for image in found:
        rows, columns = (torch.unique(k) for k in (image[0] == 0).nonzero(as_tuple=True))
        assert len(rows) == len(columns) == width
        assert (image == 0).sum() == 3 * width**2
        places.add((*rows[:1].tolist(), *columns[:1].tolist()))
    assert len(places) > 10 or share in (0, 1)


def test_photographs_are_changed_in_full_precision_where_a_network_computes_in_half():
    """The colours' matrix product would come back in bfloat16, which does not fit into the image."""
    images = torch.rand(8, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        found = own_answers.changed(images, own_answers.STRONG)
    assert found.dtype == torch.float32
    assert not torch.equal(found, images)


def test_the_mean_teacher_follows_slowly_and_hears_no_gradient(net):
    model, images = MeanTeacher(net, dealt=False, decay=0.75, weak=STILL), torch.rand(4, 3, 32, 32)
    expected = model.heads["details"].bias.tolist()
    for step in range(3):
        with torch.no_grad():
            model.heads["details"].bias.add_(1.0)  # what a step of the optimiser does
        told, said = model.lesson(images, torch.zeros(4, 3, requires_grad=True))
        now = model.heads["details"].bias.tolist()
        expected = [0.75 * old + 0.25 * new for old, new in zip(expected, now, strict=True)]
        assert model.average.heads["details"].bias.tolist() == pytest.approx(expected, rel=1e-5), step
    assert not told.requires_grad
    assert said.requires_grad
    same = model.average.eval()(images)["details"].sigmoid()
    torch.testing.assert_close(told, same, rtol=1e-4, atol=1e-5)
    assert not any(p.requires_grad for p in model.average.parameters())
    assert "average.heads.details.bias" in model.state_dict()  # so a training that is stopped goes on


def test_the_mean_teacher_sees_the_photograph_changed(net):
    images, answers = torch.rand(8, 3, 32, 32), []
    for weak in (STILL, Augmentation(max_transforms=7)):
        torch.manual_seed(0)
        answers.append(MeanTeacher(net, False, 0.9, weak).lesson(images, torch.zeros(8, 3))[0])
    assert (answers[0] - answers[1]).abs().max() > 1e-3


def test_fixmatch_rounds_what_is_sure_and_asks_about_the_changed_photograph(net, monkeypatch):
    model, images, asked = FixMatch(net, dealt=False, sure=0.95, cover=0.5), torch.rand(2, 3, 32, 32), []

    def white(images, share):
        asked.append(share)
        return torch.ones_like(images)

    monkeypatch.setattr(own_answers, "covered", white)
    p = torch.tensor([[0.96, 0.90, 0.03], [0.10, 0.99, 0.50]])
    logits = torch.logit(p).requires_grad_()
    told, said = model.eval().lesson(images, logits)
    n = torch.nan
    torch.testing.assert_close(told, torch.tensor([[1, n, 0], [n, 1, n]]), equal_nan=True)
    assert not told.requires_grad
    assert said.requires_grad
    assert asked == [0.5]
    torch.testing.assert_close(said[0], said[1])  # both were white
    torch.testing.assert_close(said, QualityNet.forward(model, torch.ones_like(images))["details"])


def test_the_term_is_the_mean_over_all_that_was_asked_and_only_of_unlabelled_photographs(net, monkeypatch):
    model, seen = SelfTaught(net), []

    def lesson(images, logits):
        seen.append(len(images))
        return torch.tensor([[1.0, torch.nan, 0.25], [torch.nan] * 3]), torch.tensor(
            [[2.0, 9.0, -1.0], [9.0] * 3]
        )

    monkeypatch.setattr(model, "lesson", lesson)
    images, unlabelled = torch.rand(5, 3, 32, 32), torch.tensor([[0.0], [1.0], [0.0], [1.0], [0.0]])
    torch.testing.assert_close(model.eval()(images)["overall"], net.eval()(images)["overall"])
    model.train()(images, unlabelled)
    by_hand = np.log1p(np.exp(-2.0)) + 0.25 * np.log1p(np.exp(1.0)) + 0.75 * np.log1p(np.exp(-1.0))
    assert float(model.apart) == pytest.approx(by_hand / 6, rel=1e-4)
    assert seen == [2]
    for mode, told in ((True, unlabelled * 0), (True, None), (False, unlabelled)):
        model.train(mode)(images, told)
        assert model.apart == 0.0
    assert seen == [2]


def test_a_placebo_deals_what_is_told_out_again_as_whole_rows(net, monkeypatch):
    told, heard = torch.arange(24.0).view(8, 3), {}
    monkeypatch.setattr(own_answers, "details_loss", lambda said, told: heard.setdefault(dealt, told).sum())
    for dealt in (False, True):
        model = SelfTaught(net, dealt)
        monkeypatch.setattr(model, "lesson", lambda images, logits: (told, logits))
        torch.manual_seed(0)
        model.train()(torch.rand(8, 3, 32, 32), torch.ones(8, 1))
    assert torch.equal(heard[False], told)
    assert not torch.equal(heard[True], told)
    assert torch.equal(heard[True][heard[True][:, 0].argsort()], told)


def test_both_sets_are_joined_and_the_details_of_the_first_forgotten():
    def some(n, rows, value):
        images = (
            np.full((n, 4, 4, 3), value, dtype=np.uint8) + np.arange(n, dtype=np.uint8)[:, None, None, None]
        )
        k = len(rows)
        targets = {"overall": torch.arange(k), "details": torch.ones(k, 3) * value}
        return Examples(images, np.array(rows), targets)

    found = own_answers.both_sets(some(5, [3, 1], 10), some(4, [0, 2, 3], 50))
    assert found.images[found.rows][:, 0, 0, 0].tolist() == [13, 11, 50, 52, 53]
    assert found.targets["overall"].tolist() == [0, 1, -1, -1, -1]
    assert found.targets["details"].isnan().all(dim=1).tolist() == [True, True, False, False, False]
    assert found.targets["details"][2:].unique().tolist() == [50.0]
    assert found.auxiliary.tolist() == [[1], [1], [0], [0], [0]]


@pytest.fixture
def arm(parent, tmp_path):
    details_store = write_toy_store(tmp_path / "details").root

    def train(model, tell=lambda told: None, **changes):
        config = replace(parent.config, epochs=2, learning_rate=0.02, lambda_details=1.0)
        run = replace(parent, model=model, config=config, models=tmp_path, n_details=3, checkpoints=tmp_path)
        run = replace(run, start_from=parent.stem)
        how = {"decay": 0.5, "sure": 0.6, "cover": 0.25} | changes
        return own_answers.learn(run, tell, details_store=details_store, **how)

    return train


def test_every_arm_and_every_number_of_it_changes_what_is_learned(arm):
    history, plain = arm("experts_beside")
    assert history["epoch"].tolist() == [0, 1, 2]
    assert set(plain["model"]) == {"experts_beside"}
    assert plain[["p_overall_0", *P]].notna().all(axis=None)
    answers = {"experts_beside": plain[P].to_numpy()}
    for kind, changes in (("mean_teacher", {"decay": 0.0}), ("fixmatch", {"sure": 0.5})):
        answers[kind] = arm(kind)[1][P].to_numpy()
        answers[f"{kind}, changed"] = arm(kind, **changes)[1][P].to_numpy()
        answers[f"{kind}_placebo"] = arm(f"{kind}_placebo")[1][P].to_numpy()
    answers["fixmatch, more covered"] = arm("fixmatch", cover=0.75)[1][P].to_numpy()
    names = list(answers)
    for k, one in enumerate(names):
        for other in names[:k]:
            assert np.abs(answers[one] - answers[other]).max() > 1e-6, (one, other)


def test_a_mean_teacher_that_was_stopped_goes_on_with_its_average(arm, tmp_path):
    def stop(told):
        raise StoppedError

    with pytest.raises(StoppedError):
        arm("mean_teacher", stop)
    (file,) = tmp_path.glob("mean_teacher-*.safetensors")
    _, resumed = arm("mean_teacher")
    file.unlink()
    _, whole = arm("mean_teacher")
    np.testing.assert_allclose(resumed[P], whole[P], atol=1e-6)  # the same computation

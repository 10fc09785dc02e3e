"""Numbers as inputs of a head: who reads them, from the same start, and whose photograph they are about."""

import pickle
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from riqa.data.store import open_store
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.learn import runs
from riqa.learn.examples import to_images
from riqa.learn.runs import TrainingRun, execute
from riqa.studies.experiment import Arm, run_as, trainings
from riqa.studies.inputs import ToldRun, Unaware, learn, start_of, widened
from tests.learn.chain import pseudo_labels, same_weights

P = [f"p_{detail}" for detail in DETAILS]
ASKED = ["image_id", "split", "p_overall_0", "p_overall_1", "p_overall_2", *P, "overall", *DETAILS]


@pytest.fixture
def arms(parent, tmp_path):
    """One run per arm, by name."""
    store = open_store(parent.store)
    answers = pd.read_parquet(pseudo_labels(store, tmp_path))
    told = run_as(parent.stem, store, tmp_path / "models", "cpu")
    base = ToldRun(**vars(replace(told, config=replace(told.config, lambda_details=1.0))))
    runs = trainings([Arm("neither"), Arm("target", answers)], base, parent.models, [0])
    base = replace(base, inputs=tmp_path / "answers.parquet")
    runs += trainings([Arm("input"), Arm("both", answers)], base, parent.models, [0])
    return {run.model: replace(run, pseudo_label_kind="soft", checkpoints=None) for run in runs}


def test_a_widened_head_answers_as_it_did_until_it_learns():
    torch.manual_seed(0)
    head, features, numbers = nn.Linear(4, 3), torch.randn(5, 4), torch.randn(5, 2)
    wide = widened(head, 2)
    logits = wide(torch.cat([features, numbers], dim=1))
    assert torch.allclose(logits, head(features), atol=1e-6)
    logits[:, 1].sum().backward()
    by_hand = torch.zeros(3, 2)
    by_hand[1] = numbers.sum(dim=0)
    assert torch.allclose(wide.weight.grad[:, 4:], by_hand, atol=1e-5)


def test_an_unaware_head_reads_the_features_alone():
    head, known = nn.Linear(4, 3), torch.randn(5, 6, requires_grad=True)
    logits = Unaware(head)(known)
    assert torch.allclose(logits, head(known[:, :4]))
    logits.sum().backward()
    assert torch.equal(known.grad != 0, torch.tensor([True] * 4 + [False] * 2).expand(5, 6))


@pytest.mark.parametrize("fresh", [False, True])
def test_every_arm_grades_alike_at_the_start(arms, parent, fresh):
    store = open_store(parent.store)
    images, told = to_images(torch.from_numpy(store.images[:6].copy()), torch.device("cpu")), torch.ones(6, 3)
    found = {}
    for name, run in arms.items():
        model = start_of(replace(run, fresh_head=fresh), 32).eval()
        with torch.no_grad():
            found[name] = model(images, *([told] if run.inputs else []))
    for logits in found.values():
        assert torch.allclose(logits["overall"], found["neither"]["overall"], atol=1e-5)
    assert found["target"].keys() == found["both"].keys() == {"overall", "details"}
    assert torch.allclose(found["both"]["details"], found["target"]["details"], atol=1e-5)
    first = start_of(arms["neither"], 32)
    again = start_of(replace(arms["neither"], fresh_head=fresh), 32)
    assert same_weights(first.backbone, again.backbone)
    assert same_weights(first.heads, again.heads) == (not fresh)


@pytest.mark.parametrize("name", ["neither", "target"])
def test_without_inputs_it_is_the_training_of_the_book(arms, name):
    run = arms[name]
    plain = {field.name: getattr(run, field.name) for field in fields(TrainingRun)}
    told = []
    found = learn(run, told.append)
    known = execute(TrainingRun(**plain))[1]
    pd.testing.assert_frame_equal(found.query("split == 'test'")[ASKED].reset_index(drop=True), known[ASKED])
    assert found["split"].value_counts().to_dict() == {"val": 8, "test": 8}
    assert [record["epoch"] for _, record, _ in told] == [1, 2]
    assert pickle.loads(pickle.dumps(run)) == run


def test_numbers_reach_the_head_with_their_photograph(arms, parent, monkeypatch, tmp_path):
    """A head that does nothing but repeat its numbers shows which it was told, in training and after it."""
    store, seen = open_store(parent.store), {}
    rng = np.random.default_rng(1)
    numbers = pd.DataFrame(rng.normal(size=(40, 3)), columns=P).assign(image_id=store.manifest["image_id"])
    other = numbers.assign(seed=1, **dict.fromkeys(P, np.nan))
    numbers = numbers.assign(seed=0)
    pd.concat([other, numbers.iloc[::-1]]).to_parquet(tmp_path / "numbers.parquet")

    def repeat(model, training, validation, config, **how):
        seen.update(train=training.auxiliary, val=validation.auxiliary)
        with torch.no_grad():
            model.heads["overall"].weight.zero_()[:, -3:] = torch.eye(3)
            model.heads["overall"].bias.zero_()
        return []

    monkeypatch.setattr(runs, "train", repeat)
    run = replace(arms["both"], inputs=tmp_path / "numbers.parquet")
    found = learn(replace(run, config=replace(run.config, precision="float32")))
    own = numbers.set_index("image_id")[P]
    for split, rows in store.manifest.groupby("split"):
        if split != "test":
            np.testing.assert_allclose(seen[split], own.loc[rows["image_id"]], rtol=1e-6)
    probs = np.exp(own) / np.exp(own).sum(axis=1).to_numpy()[:, None]
    overall = [f"p_overall_{k}" for k in range(3)]
    straight = found[found["model"] == "both"]
    np.testing.assert_allclose(straight[overall], probs.loc[straight["image_id"]], atol=1e-5)
    misled = found[found["model"] == "both_misled"]
    assert misled["split"].eq("test").all()
    wrong = np.abs(misled[overall].to_numpy() - probs.loc[misled["image_id"]]).max(axis=1)
    assert (wrong > 1e-3).sum() >= 4
    tested = probs.loc[misled["image_id"]]
    np.testing.assert_allclose(np.sort(misled["p_overall_0"]), np.sort(tested[P[0]]), atol=1e-5)


def test_inputs_decide_what_is_learned_and_what_a_checkpoint_is_for(arms, tmp_path):
    run = replace(arms["input"], checkpoints=tmp_path / "kept")
    run.checkpoints.mkdir()
    first = learn(run)
    answers = pd.read_parquet(run.inputs)
    other = replace(run, inputs=tmp_path / "other.parquet")
    answers.assign(**{P[0]: 30 * answers[P[0]]}).to_parquet(other.inputs)
    second = learn(other)
    assert len({*run.checkpoints.iterdir()}) == 2
    assert not np.allclose(first["p_overall_0"], second["p_overall_0"], atol=1e-3)
    answers.iloc[1:].to_parquet(other.inputs)
    with pytest.raises(InputError, match="no pseudo-label for 1 images, first i00"):
        learn(other)

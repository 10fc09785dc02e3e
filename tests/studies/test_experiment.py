"""Experiments on a toy set: what differs between arms, and what does not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from riqa.data.store import open_store
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.learn.model import model_file
from riqa.learn.runs import model_stem
from riqa.studies.experiment import (
    Arm,
    first_photographs,
    recipe_of,
    relabelled,
    run_anew,
    run_arms,
    run_as,
    shuffled,
    teacher_answers,
    trainings,
    with_fewer,
)

P = [f"p_{detail}" for detail in DETAILS]


@pytest.fixture
def base(parent, tmp_path):
    config = replace(parent.config, lambda_details=1.0)
    shown = ((parent.store, ("test",)),)
    return replace(parent, model="", config=config, models=tmp_path / "models", predict_on=shown)


def answers(base, good):
    ids = pd.read_parquet(base.store / "manifest.parquet")["image_id"]
    return pd.DataFrame(good, range(len(ids)), P).assign(image_id=ids)


def test_arms_share_all_but_their_labels(base, parent):
    both = [Arm("none"), Arm("told", answers(base, 1.0), {"learning_rate": 0.005})]
    none, told = trainings(both, base, parent.models, [0])
    assert none.start_from == told.start_from == parent.stem
    assert (none.n_details, none.config.lambda_details, none.pseudo_labels) == (0, 0.0, None)
    assert (told.n_details, told.config.lambda_details) == (3, base.config.lambda_details)
    assert (told.config.learning_rate, none.config.learning_rate) == (0.005, base.config.learning_rate)
    assert none.start_counts == told.start_counts == base.start_counts
    kept = pd.read_parquet(told.pseudo_labels)
    assert set(kept["dataset"]) == {base.trained_on}
    assert kept["seed"].tolist() == [0] * len(kept)


def test_labels_of_their_own_for_each_seed_are_kept(base, parent):
    by_seed = pd.concat(answers(base, value).assign(seed=seed) for seed, value in ((0, 0.0), (1, 1.0)))
    runs = trainings([Arm("told", by_seed)], base, parent.models, [0, 1])
    kept = pd.read_parquet(runs[0].pseudo_labels)
    assert kept.groupby("seed")[P[0]].unique().tolist() == [[0.0], [1.0]]
    assert [run.config.seed for run in runs] == [0, 1]


def test_an_arm_learns_what_its_labels_say(base, parent):
    told = [Arm("none"), *(Arm(word, answers(base, value)) for word, value in (("bad", 0.0), ("good", 1.0)))]
    found = run_arms(told, base, parent.models, [0])
    assert found["model"].unique().tolist() == ["none", "bad", "good"]
    means = found.groupby("model")[P].mean().mean(axis=1)
    assert np.isnan(means["none"])
    assert means["bad"] < 0.5 < means["good"]
    assert found["called"].notna().all()


def test_the_recipe_is_that_of_the_trained_model(parent, tmp_path):
    assert recipe_of(parent.stem) == parent.config
    with pytest.raises(InputError, match="build chapter 05 again"):
        recipe_of(tmp_path / "none")


def test_a_new_network_begins_an_experiment_of_its_own(base, parent):
    (run,) = trainings([Arm("single_task", from_scratch=True)], base, parent.models, [0])
    assert run.start_from is None
    (later,) = trainings([Arm("none")], base, run.models, [0])
    assert later.start_from == run.stem


def test_arms_that_begin_anew_begin_with_a_network_of_their_own_seed(parent, tmp_path):
    own = run_as(parent.stem, open_store(parent.store), tmp_path / "models", "cpu")
    assert (own.config, own.backbone, own.trained_on, own.n_overall) == (parent.config, "resnet10", "toy", 3)
    shorter = run_as(parent.stem, open_store(parent.store), tmp_path / "models", "cpu", epochs=7)
    assert shorter.config == replace(parent.config, epochs=7) != parent.config
    pairs = []
    for seed in (0, 1):
        tuned = replace(own, config=replace(own.config, seed=seed, learning_rate=1e-9))
        pairs.append((replace(own, config=replace(own.config, seed=seed, epochs=1)), tuned))
    found = run_anew([Arm("control")], pairs)
    assert found.groupby(["model", "seed"]).size().to_dict() == {
        (model, seed): 8 for model in ("single_task", "control") for seed in (0, 1)
    }
    for seed in (0, 1):
        start, end = (load_file(model_file(model_stem(own.models, model, "toy", seed), "safetensors"))
                      for model in ("single_task", "control"))  # fmt: skip
        assert all(torch.allclose(start[key], end[key], atol=1e-5) for key in start if "weight" in key)
    assert recipe_of(model_stem(own.models, "single_task", "toy", 1)).epochs == 1


def test_the_first_photographs_of_a_seed_come_patient_by_patient():
    split = pd.DataFrame({"patient_id": list("aabbbc"), "image_id": [f"i{k}" for k in range(6)]}, range(3, 9))
    order = np.random.default_rng(4).permutation(["a", "b", "c"])
    wanted = [image for patient in order for image in split.loc[split["patient_id"] == patient, "image_id"]]
    for n in (1, 4, 6, 9):
        assert first_photographs(split, n, 4)["image_id"].tolist() == wanted[:n]
    assert len({first_photographs(split, 1, seed)["patient_id"].item() for seed in range(20)}) == 3


def test_a_placebo_has_the_same_labels_on_other_photographs():
    keys = pd.MultiIndex.from_product([[0, 1], ["train", "val"], range(30)], names=["seed", "split", "n"])
    given = keys.to_frame(index=False).astype({"n": str}).rename(columns={"n": "image_id"})
    for k, column in enumerate(P):
        given[column] = np.arange(len(given)) + 1000.0 * k
    dealt = shuffled(given)
    assert dealt.drop(columns=P).equals(given.drop(columns=P))
    assert (dealt[P[1]] - dealt[P[0]] == 1000).all()  # rows move as a whole
    for rows in given.groupby(["seed", "split"]).groups.values():
        assert sorted(dealt.loc[rows, P[0]]) == given.loc[rows, P[0]].tolist()
        assert (dealt.loc[rows, P[0]] == given.loc[rows, P[0]]).mean() < 0.2


def test_answers_are_those_of_a_set_and_seeds_and_not_about_test_photographs(tmp_path):
    rows = pd.MultiIndex.from_product([["a", "b"], [0, 1, 2], ["train", "val", "test"], ["x", "y"]])
    told = rows.to_frame(False, ["dataset", "seed", "split", "image_id"]).assign(p_clarity=0.5)
    told.to_parquet(tmp_path / "told.parquet")
    found = teacher_answers(tmp_path / "told.parquet", "b", [0, 2])
    assert found["dataset"].eq("b").all()
    assert found.groupby(["seed", "split"]).size().to_dict() == {
        (s, p): 2 for s in (0, 2) for p in ("train", "val")
    }
    assert list(found.index) == list(range(8))


def test_a_relabelled_store_has_the_same_pixels_and_other_labels(parent, tmp_path):
    store = open_store(parent.store)
    other = store.manifest.iloc[::-2].assign(overall=lambda table: 2 - table["overall"])
    found = relabelled(store, tmp_path / "other", other)
    assert found.manifest["image_id"].tolist() == other["image_id"].tolist()
    assert found.manifest["overall"].tolist() == other["overall"].tolist()
    assert np.array_equal(found.images, store.images[::-2])
    assert found.meta["name"] == store.meta["name"]
    assert found.meta["sha256"]["manifest.parquet"] != store.meta["sha256"]["manifest.parquet"]
    assert open_store(tmp_path / "other").meta["n_images"] == len(other)


def test_a_store_with_fewer_has_the_first_to_learn_from_and_all_others(parent, tmp_path):
    whole = open_store(parent.store)
    fewer = with_fewer(whole, tmp_path / "fewer", 10, seed=3)
    learned, kept = (s.manifest[s.manifest["split"] == "train"] for s in (whole, fewer))
    assert set(kept["image_id"]) == set(first_photographs(learned, 10, 3)["image_id"])
    assert (fewer.manifest["split"] != "train").sum() == (whole.manifest["split"] != "train").sum()
    at = whole.manifest.set_index("image_id").index.get_indexer(fewer.manifest["image_id"])
    assert (np.diff(at) > 0).all()
    assert np.array_equal(fewer.images, whole.images[at])

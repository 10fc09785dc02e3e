from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from riqa import results
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.studies import observers

FAST = {"n_resamples": 60}


def panel(n=24, constant=False, seed=0):
    """A store with the ratings of four experts, three per image, some twice, and predictions of two seeds."""
    rng = np.random.default_rng(seed)
    quality = rng.random((n, 3))
    ids, rows = [f"i{k:02}" for k in range(n)], []
    for k in range(n):
        for r in rng.permutation(4)[:3]:
            for session in (1, 2) if k < n // 3 else (1,):
                for j, item in enumerate(DETAILS):
                    good = 1 if constant else int(quality[k, j] + 0.2 * rng.standard_normal() > 0.4)
                    rows.append((ids[k], f"Dr. expert {r}", item, good, session))
                rows.append((ids[k], f"Dr. expert {r}", "overall", 2, session))
    ratings = pd.DataFrame(rows, columns=["image_id", "rater", "item", "score", "session"])
    frames = []
    for s in (0, 1):
        probs = (quality + 0.15 * rng.standard_normal((n, 3))).clip(0, 1)
        frame = pd.DataFrame({"image_id": ids, "patient_id": [f"p{k // 2}" for k in range(n)], "seed": s})
        frame[["dataset", "model"]] = ["seen", "teacher"]
        frame[[f"p_{item}" for item in DETAILS]] = 1.0 if constant else probs
        frames.append(frame)
    store = SimpleNamespace(ratings=ratings, root="stores/seen", meta={"name": "seen"})
    return store, pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def seen():
    return observers.observe(*panel())


@pytest.fixture(scope="module")
def against(seen):
    return observers.against_others(seen, **FAST)


def tables(seen):
    """Every table of the module; experts' own votes stand for the truth."""
    labels = {"majority": seen.scores[:, 0], "teacher": seen.answers}
    return {
        "agreement": observers.agreement(seen, **FAST),
        "repeat": observers.with_themselves(seen),
        "others": observers.against_others(seen, **FAST),
        "tests": pd.concat([observers.non_inferiority(seen, ties, **FAST) for ties in observers.RULES]),
        "leniency": observers.leniency(seen, **FAST),
        "errors": observers.errors(seen, **FAST),
        "nearness": observers.nearness(seen, labels, np.ones((len(seen.images), 3)), **FAST),
    }


def test_ratings_and_answers_are_brought_into_one_order(seen):
    store, predictions = panel()
    mixed = predictions.sample(frac=1, random_state=3)
    found = observers.observe(store, mixed[mixed["image_id"] != "i05"])
    assert found.raters == tuple(f"Dr. expert {r}" for r in range(4))
    assert found.scores.shape == (23, 4, 3)
    assert found.answers.shape == (2, 23, 3)
    assert not found.ratings["image_id"].eq("i05").any()
    assert set(found.ratings["item"]) == set(DETAILS)
    row = list(found.images["image_id"]).index("i07")
    mine = predictions[(predictions["image_id"] == "i07") & (predictions["seed"] == 1)].iloc[0]
    assert found.answers[1, row].tolist() == [float(mine[f"p_{item}"] >= 0.5) for item in DETAILS]
    one = store.ratings.query("image_id == 'i07' and session == 1 and item == 'contrast'").iloc[0]
    assert found.scores[row, found.raters.index(one["rater"]), 2] == one["score"]
    assert list(seen.judged[2][:3]) == ["p0", "p0", "p1"]


def test_a_set_without_several_raters_is_refused_with_what_to_do():
    store, predictions = panel()
    with pytest.raises(InputError, match="no ratings of single experts; give raters_set"):
        observers.observe(SimpleNamespace(**vars(store) | {"ratings": None}), predictions)
    alone = store.ratings[store.ratings["rater"] == "Dr. expert 1"]
    with pytest.raises(InputError, match=r"1 expert\(s\) judged"):
        observers.observe(SimpleNamespace(**vars(store) | {"ratings": alone}), predictions)


def test_every_number_has_keys_of_its_own_and_only_the_teachers_have_seeds(seen, tmp_path):
    written = results.write(tmp_path, tables(seen).values(), chapter="08")
    with_seeds = written["seeds"].map(len) > 0
    assert with_seeds.equals(written["model"] == "teacher")
    assert (written["n"] > 0).all()
    assert written["low"].notna().equals(written["confidence"].notna() | (written["method"] == "pairs"))


def test_agreement_holds_the_kappas_of_scikit_learn(seen):
    votes, kappas = seen.scores[:, :, 1], []
    for pair in combinations(votes.T, 2):
        both = np.stack(pair)[:, ~np.isnan(pair).any(axis=0)]
        kappas.append(cohen_kappa_score(*both))
    found = observers.agreement(seen, **FAST).query("target == 'clarity'").set_index("metric")
    ends = found.loc["cohen_kappa", ["value", "low", "high"]].tolist()
    assert ends == pytest.approx([np.mean(kappas), min(kappas), max(kappas)])
    assert found.loc["share_good", "value"] == pytest.approx(np.nanmean(votes))  # all panels have one size


def test_second_sessions_are_compared_with_first_ones(seen):
    found = observers.with_themselves(seen).query("group == 'Dr. expert 3' and target == 'clarity'")
    both = seen.ratings.query("rater == 'Dr. expert 3' and item == 'clarity'")
    both = both.pivot(index="image_id", columns="session", values="score").dropna()
    values = found.set_index("metric")["value"]
    assert values["agreement"] == (both[1] == both[2]).mean()
    assert values["cohen_kappa"] == pytest.approx(cohen_kappa_score(both[1], both[2]))
    assert set(found["n"]) == {len(both)}


def test_expert_and_teacher_meet_the_majority_of_the_others(seen, against):
    votes, answers = seen.scores[:, :, 1], seen.answers[:, :, 1]
    others = np.nansum(2 * votes - 1, axis=1) - (2 * votes[:, 2] - 1)  # +1 good, -1 bad
    decided = ~np.isnan(votes[:, 2]) & (others != 0)
    truth, said = others[decided] > 0, votes[decided, 2]
    found = against.query("target == 'clarity' and group == 'Dr. expert 2'")
    value = found.set_index(["metric", "model", "rival"])["value"]
    for metric, score in (("agreement", accuracy_score), ("f1", f1_score)):
        teacher = np.mean([score(truth, answer[decided]) for answer in answers])
        assert value[metric, "experts", ""] == pytest.approx(score(truth, said))
        assert value[metric, "teacher", ""] == pytest.approx(teacher)
        assert value[metric, "teacher", "experts"] == pytest.approx(teacher - score(truth, said))
    assert value["tied", "experts", ""] == (~np.isnan(votes[:, 2]) & (others == 0)).sum()
    assert set(found.query("method == 'others'")["n"]) == {decided.sum()}
    assert against.query("rival == ''")["p"].isna().all()  # only differences are tested
    assert against.query("rival != ''")["p"].between(0, 1).all()


def test_the_loss_is_averaged_over_experts_and_then_over_details(seen, against):
    found = observers.non_inferiority(seen, **FAST)
    gaps = against.query("metric == 'agreement' and rival == 'experts'")
    means = gaps.groupby("target", sort=False)["value"].mean()
    assert found["value"].tolist() == pytest.approx([*means, means.mean()])
    assert found["target"].tolist() == [*DETAILS, "details"]
    assert found["confidence"].to_numpy() == pytest.approx(0.9)  # between two bounds of 0.95 each
    rules = [observers.non_inferiority(seen, ties, **FAST)["value"].iloc[0] for ties in observers.RULES]
    assert len(set(rules)) == 3


def test_leniency_and_errors_name_whom_they_are_about(seen):
    found = observers.leniency(seen, **FAST)
    assert found["group"].tolist()[::3] == [*seen.raters, "all"]
    teacher = found.query("model == 'teacher' and target == 'contrast'")["value"].item()
    panel_share = np.nanmean(seen.scores[:, :, 2], axis=1)
    assert teacher == pytest.approx((seen.answers[:, :, 2].mean(axis=0) - panel_share).mean())
    wrong = (seen.answers[:, :, 2] != (panel_share > 0.5)).mean(axis=0)
    split = np.isin(panel_share, [0, 1])
    errors = observers.errors(seen, **FAST).query("target == 'contrast'")
    value = errors.set_index(["metric", "group"])["value"]
    expected = {"error": wrong[split].mean(), "share_of_errors": wrong[split].sum() / wrong.sum()}
    assert value.xs("unanimous", level="group").to_dict() == pytest.approx(expected)
    assert value["error", "contested"] == pytest.approx(wrong[~split].mean())


def test_labels_are_held_against_the_truth_and_the_vote(seen):
    truth = np.ones((len(seen.images), 3))
    labels = {"majority": np.full_like(truth, np.nan), "dawid_skene": truth, "teacher": seen.answers}
    found = observers.nearness(seen, labels, truth, **FAST).query("target == 'illumination'")
    value = found.set_index(["model", "rival"])["value"]
    share = seen.answers[:, :, 0].mean()
    assert value.to_dict() == pytest.approx(
        {("majority", ""): 0.5, ("dawid_skene", ""): 1, ("teacher", ""): share}
        | {("dawid_skene", "majority"): 0.5, ("teacher", "majority"): share - 0.5}
    )


def test_constant_ratings_give_missing_coefficients_and_no_failure(tmp_path):
    seen = observers.observe(*panel(constant=True))
    written = results.write(tmp_path, tables(seen).values(), chapter="08")
    missing = written[written["value"].isna()]
    kappas = {"cohen_kappa", "fleiss_kappa", "krippendorff_alpha"}
    assert set(missing["metric"]) == kappas | {"error", "share_of_errors"}
    assert set(missing.loc[missing["metric"] == "error", "group"]) == {"contested"}
    assert (written.query("method == 'non_inferiority'")["low"] > -0.05).all()

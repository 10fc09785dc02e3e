from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from riqa import results
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.phantom.raters import EXPERTS
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
        "tests": pd.concat([observers.non_inferiority(seen, ties) for ties in observers.RULES]),
        "leniency": observers.leniency(seen, **FAST),
        "errors": observers.errors(seen, **FAST),
        "together": observers.consistency(seen, **FAST),
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
    assert list(seen.patients[:3]) == ["p0", "p0", "p1"]


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
    found = observers.agreement(seen, **FAST)
    votes, kappas = seen.scores[:, :, 1], []
    for a in range(4):
        for b in range(a + 1, 4):
            both = votes[:, [a, b]][~np.isnan(votes[:, [a, b]]).any(axis=1)]
            kappas.append(cohen_kappa_score(*both.T))
    pairs = results.find(found, model="experts", target="clarity", metric="cohen_kappa", method="pairs",
                         dataset="seen")  # fmt: skip
    expected = [np.mean(kappas), min(kappas), max(kappas)]
    assert pairs[["value", "low", "high"]].tolist() == pytest.approx(expected)
    share = found.query("target == 'clarity' and metric == 'share_good'")["value"].item()
    assert share == pytest.approx(np.nanmean(votes))  # all panels have one size


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


def test_the_loss_is_averaged_over_experts_and_then_over_details(seen, against):
    found = observers.non_inferiority(seen)
    gaps = against.query("metric == 'agreement' and rival == 'experts'")
    means = gaps.groupby("target", sort=False)["value"].mean()
    assert found["value"].tolist() == pytest.approx([*means, means.mean()])
    assert found["target"].tolist() == [*DETAILS, "details"]
    assert found["confidence"].to_numpy() == pytest.approx(0.9)  # between two bounds of 0.95 each
    rules = [observers.non_inferiority(seen, ties)["value"].iloc[0] for ties in observers.RULES]
    assert len(set(rules)) == 3


def test_leniency_and_errors_name_whom_they_are_about(seen):
    found = observers.leniency(seen, **FAST)
    assert found["group"].tolist() == [*seen.raters, "all"] * 3
    assert found["p"].isna().all()
    teacher = found.query("model == 'teacher' and target == 'contrast'")["value"].item()
    panel_share = np.nanmean(seen.scores[:, :, 2], axis=1)
    assert teacher == pytest.approx((seen.answers[:, :, 2].mean(axis=0) - panel_share).mean())
    errors = observers.errors(seen, **FAST).query("target == 'contrast'")
    wrong = (seen.answers[:, :, 2] != (panel_share > 0.5)).mean(axis=0)
    split = np.isin(panel_share, [0, 1])
    rates = errors.query("metric == 'error'").set_index("group")["value"]
    assert rates["unanimous"] == pytest.approx(wrong[split].mean())
    assert rates["contested"] == pytest.approx(wrong[~split].mean())
    shares = errors.query("metric == 'share_of_errors'").set_index("group")["value"]
    assert shares["unanimous"] == pytest.approx(wrong[split].sum() / wrong.sum())


def test_errors_are_held_against_the_truth_and_beside_each_other(seen):
    truth = np.ones((len(seen.images), 3))
    clear = np.zeros_like(truth, dtype=bool)
    clear[:8] = True
    found = observers.consistency(seen, truth, {"clear": clear}, **FAST)
    own = found.query("target == 'clarity' and group == 'all'").set_index(["metric", "model", "rival"])
    wrong = 1 - seen.answers[:, :, 1]
    assert own["value"]["error", "teacher", ""] == pytest.approx(wrong.mean())  # all panels have one size
    assert own["value"]["error_consistency", "teacher", ""] == pytest.approx(
        cohen_kappa_score(*wrong),
        abs=0.05,  # pooled over pairs of experts, who share few images each
    )
    for metric in ("error", "error_consistency"):
        gap = own["value"][metric, "teacher", ""] - own["value"][metric, "experts", ""]
        assert own["value"][metric, "teacher", "experts"] == pytest.approx(gap)
        assert own["low"][metric, "teacher", "experts"] <= gap <= own["high"][metric, "teacher", "experts"]
    assert found["p"].notna().equals(found["rival"] != "")
    few = found.query("target == 'clarity' and group == 'clear' and metric == 'error' and rival == ''")
    assert set(few["n"]) == {8}
    assert few.set_index("model")["value"]["teacher"] == pytest.approx(wrong[:, :8].mean())


def test_without_a_truth_those_who_are_not_compared_decide(seen):
    found = observers.consistency(seen, **FAST)
    assert set(found["group"]) == {"all", "with experts"}
    agreed = seen.scores.copy()
    agreed[:, 1] = agreed[:, 0]  # two experts of one mind: each a judge of the others
    assert not found["value"].equals(observers.consistency(replace(seen, scores=agreed), **FAST)["value"])


def test_leniency_is_ranked_as_it_was_planted():
    lenient = EXPERTS.bias.stack().reset_index()
    lenient.columns = ["group", "target", "value"]
    teacher = pd.DataFrame([("all", detail, 9.0) for detail in DETAILS], columns=lenient.columns)
    lenient = pd.concat([lenient, teacher], ignore_index=True)
    assert observers.rank_as_planted(lenient).to_dict() == dict.fromkeys(DETAILS, 1.0)
    turned = lenient.assign(value=-(lenient["value"] ** 3))
    assert set(observers.rank_as_planted(turned)) == {-1.0}
    assert len(observers.rank_as_planted(lenient.assign(group="Dr. Who"))) == 0


def by_hand(scores, answers):
    """What a panel said, (N, R), and S seeds of a Teacher, (S, N), of each of the three details."""
    n, n_raters = np.shape(scores)
    images = pd.DataFrame({"image_id": np.arange(n).astype(str), "patient_id": np.arange(n)})
    raters, seeds = tuple(f"r{k}" for k in range(n_raters)), tuple(range(len(answers)))
    cube, said = (np.repeat(np.array(x, float)[..., None], 3, axis=-1) for x in (scores, answers))
    return observers.Observed("hand", images, pd.DataFrame(), raters, cube, said, seeds)


def test_the_teachers_leniency_varies_with_its_seeds():
    seen = by_hand([[0, 0, 0]] * 3 + [[0, 0, 1]] + [[1, 1, np.nan]] * 4, [[1] * 8, [0] * 8])
    found = observers.leniency(seen, n_resamples=200).query("target == 'clarity'").set_index("group")
    expected = {"r0": -0.5 / 8, "r1": -0.5 / 8, "r2": 0.25, "all": 0.5 - (1 / 3 + 4) / 8}
    assert found["value"].to_dict() == pytest.approx(expected)
    assert found["n"].to_dict() == {"r0": 8, "r1": 8, "r2": 4, "all": 8}
    assert found.loc["all", "low"] < -0.3  # the seeds are drawn as well: two that always say bad
    assert found.loc["all", "high"] > 0.2
    alone = observers.leniency(by_hand([[1, np.nan], [0, np.nan]], [[1, 0]]), n_resamples=20)
    assert set(alone["group"]) == {"all"}  # nobody beside whom r0 could be lenient


def test_errors_without_a_contested_image_or_any_error_are_missing():
    found = observers.errors(by_hand(np.ones((4, 3)), np.ones((1, 4))), n_resamples=10)
    rates = found.query("metric == 'error' and target == 'contrast'").set_index("group")
    assert rates["n"].to_dict() == {"unanimous": 4, "contested": 0}
    assert rates["value"]["unanimous"] == 0
    assert rates.loc["contested", ["value", "low", "high"]].isna().all()
    assert found.query("metric == 'share_of_errors'")["value"].isna().all()


def test_nearness_counts_what_is_right_and_pairs_the_differences():
    truth = np.repeat([[1], [1], [0], [0]], 3, axis=1).astype(float)
    labels = {
        "majority": np.repeat([[1], [np.nan], [0], [1]], 3, axis=1),
        "other": np.repeat([[1], [1], [0], [1]], 3, axis=1).astype(float),
        "teacher": np.repeat([[[1], [1], [0], [0]], [[1], [0], [0], [1]]], 3, axis=2).astype(float),
    }
    found = observers.nearness(by_hand(np.ones((4, 3)), np.ones((2, 4))), labels, truth, n_resamples=2000)
    found = found.query("target == 'contrast'").set_index(["model", "rival"])
    assert found.loc[list(labels), "value"].xs("", level="rival").tolist() == [0.625, 0.75, 0.75]
    leads = found.xs("majority", level="rival")
    assert leads["value"].to_dict() == {"other": 0.125, "teacher": 0.125}
    # Other and majority differ on one image by one half: never below 0, at most drawn a few times.
    assert leads["low"]["other"] == 0
    assert 0.25 <= leads["high"]["other"] <= 0.5


@pytest.mark.parametrize("of", [observers.leniency, observers.errors, observers.consistency])
@pytest.mark.parametrize(("knob", "value"), [("n_resamples", 101), ("seed", 1), ("confidence", 0.5)])
def test_every_knob_of_leniency_and_errors_is_alive(seen, of, knob, value):
    options = {"n_resamples": 100, "seed": 0, "confidence": 0.95}
    before, after = (of(seen, **chosen) for chosen in (options, options | {knob: value}))
    assert before["value"].equals(after["value"])
    assert not before[["low", "high"]].equals(after[["low", "high"]])


def test_constant_ratings_give_missing_coefficients_and_no_failure(tmp_path):
    seen = observers.observe(*panel(constant=True))
    written = results.write(tmp_path, tables(seen).values(), chapter="08")
    missing = written[written["value"].isna()]
    kappas = {"cohen_kappa", "fleiss_kappa", "krippendorff_alpha", "error_consistency"}
    assert set(missing["metric"]) == kappas | {"error", "share_of_errors"}
    assert set(missing.loc[missing["metric"] == "error", "group"]) == {"contested"}
    assert (written.query("method == 'non_inferiority'")["low"] > -0.05).all()

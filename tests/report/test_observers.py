from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from riqa.errors import InputError
from riqa.evaluate.observers import TIES, against_others, non_inferiority
from riqa.labels import DETAILS
from riqa.report import observers, observers_figures, observers_tables
from riqa.report.published import expert_and_teacher


def panel(n=24, constant=False, seed=0):
    """A store with the ratings of four raters, three an image, some twice, and predictions of two seeds."""
    rng = np.random.default_rng(seed)
    quality = rng.random((n, 3))
    ids, rows = [f"i{k}" for k in range(n)], []
    for k in range(n):
        for r in rng.permutation(4)[:3]:
            for session in (1, 2) if k < n // 3 else (1,):
                for j, item in enumerate(DETAILS):
                    good = 1 if constant else int(quality[k, j] + 0.2 * rng.standard_normal() > 0.4)
                    rows.append((ids[k], f"expert {r}", item, good, session))
                rows.append((ids[k], f"expert {r}", "overall", 2, session))
    ratings = pd.DataFrame(rows, columns=["image_id", "rater", "item", "score", "session"])
    frames = []
    for s in (0, 1):
        probs = (quality + 0.15 * rng.standard_normal((n, 3))).clip(0, 1)
        frame = pd.DataFrame({"image_id": ids, "patient_id": [f"p{k // 2}" for k in range(n)], "eye": "left"})
        frame = frame.assign(
            dataset="seen", model="teacher", seed=s, overall=0.0, **dict.fromkeys(DETAILS, 1.0)
        )
        frame[[f"p_{item}" for item in DETAILS]] = 1.0 if constant else probs
        frames.append(frame)
    store = SimpleNamespace(ratings=ratings, root="stores/seen", meta={"name": "seen"})
    return store, pd.concat(frames, ignore_index=True)


def frames(observed, **options):
    """Every table of the module, by name."""
    options = {"n_resamples": 60} | options
    found = against_others(observed.scores, observed.answers, observed.groups, **options)
    tests = {
        ties: non_inferiority(
            against_others(observed.scores, observed.answers, observed.groups, ties=ties, **options)
        )
        for ties in TIES
    }
    return {
        "agreement": observers.agreement_frame(observed, **options),
        "intra": observers.intra_frame(observed),
        "against": observers.against_others_frame(observed, found),
        "non_inferiority": observers.non_inferiority_frame(tests, len(observed.images)),
        "bias": observers.bias_frame(observed, **options),
        "consent": observers.consent_frame(observed, **options),
    }


@pytest.fixture(scope="module")
def observed():
    return observers.observe(*panel())


@pytest.fixture(scope="module")
def tables(observed):
    return frames(observed)


def test_ratings_and_answers_are_brought_into_one_order():
    store, predictions = panel()
    mixed = predictions.sample(frac=1, random_state=3)
    found = observers.observe(store, mixed[mixed["image_id"] != "i5"])
    assert found.raters == tuple(f"expert {r}" for r in range(4))
    assert found.scores.shape == (23, 4, 3)
    assert found.answers.shape == (2, 23, 3)
    assert "i5" not in set(found.ratings["image_id"])
    row = list(found.images["image_id"]).index("i7")
    mine = predictions[(predictions["image_id"] == "i7") & (predictions["seed"] == 1)].iloc[0]
    assert found.answers[1, row].tolist() == [float(mine[f"p_{item}"] >= 0.5) for item in DETAILS]
    one = store.ratings.query("image_id == 'i7' and session == 1 and item == 'contrast'").iloc[0]
    assert found.scores[row, found.raters.index(one["rater"]), 2] == one["score"]


def test_a_set_without_several_raters_is_refused_with_what_to_do():
    store, predictions = panel()
    with pytest.raises(InputError, match="no ratings of single readers; give raters_set"):
        observers.observe(SimpleNamespace(**vars(store) | {"ratings": None}), predictions)
    alone = store.ratings[store.ratings["rater"] == "expert 1"]
    with pytest.raises(InputError, match=r"1 rater\(s\) judged"):
        observers.observe(SimpleNamespace(**vars(store) | {"ratings": alone}), predictions)


def test_every_number_becomes_a_record_of_its_own(observed, tables):
    records = [
        item for name, frame in tables.items() for item in observers.observer_records(observed, frame, name)
    ]
    names = [item.name for item in records]
    assert len(set(names)) == len(names) == sum(map(len, tables.values()))
    expected = """agreement.clarity.gwet_ac1 non_inferiority.details_together
        non_inferiority.clarity.ties_good
        teacher_error.contrast.contested intra.expert_2.illumination.kappa excess_of_good.teacher.clarity
        against_others.expert_0.clarity.f1.teacher-rater"""
    assert {f"observers.seen.{name}" for name in expected.split()} <= set(names)
    by_name = {item.name: item for item in records}
    assert by_name["observers.seen.excess_of_good.teacher.clarity"].seeds == (0, 1)
    assert by_name["observers.seen.excess_of_good.expert_1.clarity"].seeds == ()


def test_the_difference_of_a_rater_and_the_teacher_is_that_of_their_rows(tables):
    wide = tables["against"].pivot(index=["rater", "item", "metric"], columns="judge", values="value")
    assert np.allclose(wide["teacher-rater"], wide["teacher"] - wide["rater"])
    assert tables["against"].query("judge != 'teacher-rater'")["p_value"].isna().all()
    assert tables["against"].query("judge == 'teacher-rater'")["p_value"].between(0, 1).all()


def test_constant_ratings_give_missing_coefficients_and_no_failure():
    observed = observers.observe(*panel(constant=True))
    tables = frames(observed)
    for name, frame in tables.items():
        for item in observers.observer_records(observed, frame, name):
            assert (
                item.value is not None
                or "kappa" in item.name
                or "alpha" in item.name
                or ".contested" in item.name
            )
    assert observers_tables.undefined(tables["agreement"]) == 6
    assert observers_tables.undefined(tables["intra"]) == len(tables["intra"]) // 3
    assert set(tables["non_inferiority"]["verdict"]) == {"non-inferior"}
    draw(observed, tables)


def draw(observed, tables):
    shares = np.nanmean(observed.scores, axis=1)
    return [
        observers_figures.kappa_and_prevalence(tables["agreement"]),
        observers_figures.raters_and_teacher(tables["against"], "agreement", "title"),
        observers_figures.non_inferiority_plot(tables["non_inferiority"], "title"),
        observers_figures.excess_of_good_plot(tables["bias"], "title"),
        observers_figures.votes_and_posterior(shares, shares, None, "title"),
        observers_figures.votes_and_posterior(shares, shares, shares > 0.6, "title"),
    ]


def test_figures_show_the_tables(observed, tables):
    _, rows, plot, bias, *_ = draw(observed, tables)
    axis = rows.axes[DETAILS.index("clarity")]
    shown = axis.lines[0].get_xdata()
    expected = tables["against"].query("metric == 'agreement' and item == 'clarity' and judge == 'rater'")[
        "value"
    ]
    assert np.allclose(shown, expected)
    left_out = tables["non_inferiority"].query("ties == 'leave_out'")
    assert [text.get_text() for text in plot.axes[0].texts] == list(left_out["verdict"])
    assert [label.get_text() for label in bias.axes[0].get_yticklabels()][-1] == "Teacher"


def test_the_page_shows_table_5_of_the_paper_beside_ours(tables):
    shown = observers_tables.table_5_for_page(tables["against"], "expert 1", "Table 5").data
    assert shown.shape == (9, 4)
    paper = expert_and_teacher()
    assert shown.loc["illumination Re", "paper: Ophthalmologist"] == "0.982*"
    assert shown.loc["contrast Pr", "paper: Teacher-A"] == "0.772"
    assert len(paper) == 18
    one = (
        tables["against"]
        .query("rater == 'expert 1' and item == 'clarity' and metric == 'f1'")
        .set_index("judge")
    )
    assert shown.loc["clarity F1", "ours: expert 1"].rstrip("*") == f"{one.loc['rater', 'value']:.3f}"
    assert shown.loc["clarity F1", "ours: Teacher"].rstrip("*") == f"{one.loc['teacher', 'value']:.3f}"


def test_a_star_marks_the_higher_of_two_numbers_and_only_after_correction(tables):
    frame = tables["against"].copy()
    tests = frame["judge"].eq("teacher-rater") & frame["rater"].eq("expert 1")
    frame.loc[tests, "p_value"] = 0.04  # nine of them: none is left after Holm's correction
    shown = observers_tables.table_5_for_page(frame, "expert 1", "Table 5").data
    assert not shown.filter(like="ours").apply(lambda column: column.str.contains(r"\*")).any(axis=None)
    one = tests & frame["item"].eq("clarity") & frame["metric"].eq("f1")
    frame.loc[one, ["p_value", "value"]] = [0.001, -0.2]
    shown = observers_tables.table_5_for_page(frame, "expert 1", "Table 5").data
    assert shown.loc["clarity F1", "ours: expert 1"].endswith("*")
    assert not shown.loc["clarity F1", "ours: Teacher"].endswith("*")


def test_other_tables_hold_their_numbers(tables):
    ties = observers_tables.every_rater_for_page(tables["against"], "f1", "every rater").data
    one = tables["against"].query("rater == 'expert 2' and item == 'contrast' and metric == 'f1'").iloc[0]
    assert f"{one['n']} images, {one['n_tied']} ties" in ties.loc["expert 2", "contrast: rater / Teacher"]
    assert len(observers_tables.non_inferiority_for_page(tables["non_inferiority"], "tests").data) == 12
    assert len(observers_tables.consent_for_page(tables["consent"], "errors").data) == 6
    intra = observers_tables.intra_for_page(tables["intra"], "sessions").data
    one = tables["intra"].query("rater == 'expert 3' and item == 'clarity' and coefficient == 'ac1'").iloc[0]
    assert intra.loc["expert 3", ["images", "clarity: AC1"]].tolist() == [
        str(one["n"]),
        f"{one['value']:.2f}",
    ]
    assert observers_tables.intra_for_page(tables["intra"][:0], "no sessions").data.empty
    shown = observers_tables.agreement_for_page(tables["agreement"], "agreement").data
    value = tables["agreement"].query("item == 'clarity' and coefficient == 'gwet_ac1'")["value"].iloc[0]
    assert shown.loc["Gwet's AC1", "clarity"].startswith(f"{value:.3f}")


@pytest.mark.parametrize(
    ("verdict", "low", "high", "said"),
    [
        ("non-inferior", -0.01, 0.03, "rules out a loss of 0.05: **non-inferior**"),
        ("inferior", -0.2, -0.1, "below -0.100, a loss of more than 0.05: **inferior**"),
        ("undecided", -0.1, 0.03, "**undecided**, which is not the same as alike"),
    ],
)
def test_the_sentence_claims_what_was_found_and_no_more(verdict, low, high, said):
    row = {"item": "clarity", "ties": "leave_out", "margin": 0.05, "verdict": verdict, "equivalent": False}
    frame = pd.DataFrame([row | {"value": (low + high) / 2, "low": low, "high": high}])
    assert said in observers_tables.non_inferiority_sentence(frame, "clarity", 0.95)
    nothing = frame.assign(value=np.nan)
    assert "nothing can be said" in observers_tables.non_inferiority_sentence(nothing, "clarity", 0.95)

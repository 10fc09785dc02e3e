"""The audit of printed asterisks: exact tests against plain enumeration, best cases against brute force."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riqa.evaluate.comparisons import mcnemar_test
from riqa.studies.asterisks import TESTS, best_cases, can_be, fitting_tables, most_alike, rows_of, swap_test

SCORES = ("f1", "precision", "recall")
COUNTS = st.tuples(st.integers(0, 4), st.integers(0, 4))


def score(metric, truth, answers):
    hits, called, positive = ((truth == 0) & (answers == 0)).sum(), (answers == 0).sum(), (truth == 0).sum()
    return hits / {"f1": (called + positive) / 2, "precision": max(called, 1), "recall": positive}[metric]


def enumerated(metric, truth, a, b):
    """Swap the answers on every subset of the images on which they differ, one by one."""
    observed = abs(score(metric, truth, a) - score(metric, truth, b))
    differ, far, as_far = np.flatnonzero(a != b), 0, 0
    for swap in product([False, True], repeat=len(differ)):
        of_a, of_b = a.copy(), b.copy()
        of_a[differ[list(swap)]], of_b[differ[list(swap)]] = b[differ[list(swap)]], a[differ[list(swap)]]
        difference = abs(score(metric, truth, of_a) - score(metric, truth, of_b))
        far += difference > observed + 1e-9
        as_far += abs(difference - observed) <= 1e-9
    half = 2 if observed else 1
    return (far + as_far) / 2 ** len(differ), (far + as_far / half) / 2 ** len(differ)


@settings(max_examples=25)
@given(COUNTS, COUNTS, st.sampled_from(SCORES))
def test_the_exact_test_counts_every_swap(a, b, metric):
    (truth, of_a), (_, of_b) = most_alike(8, 4, *a), most_alike(8, 4, *b)
    assert swap_test(4, a, b, metric) == pytest.approx(enumerated(metric, truth, of_a, of_b))


@settings(max_examples=40)
@given(st.integers(0, 54), st.integers(0, 54), st.sampled_from(["exact", "mid-p"]))
def test_for_recall_it_is_mcnemars_test_among_the_positives(hits_a, hits_b, method):
    """The false alarms, 40 and 38 here, do not bear on recall."""
    right = [np.arange(54) < hits for hits in (hits_a, hits_b)]
    p = swap_test(54, (hits_a, 40), (hits_b, 38), "recall")
    assert p[method == "mid-p"] == pytest.approx(mcnemar_test(*right, method=method))


def test_the_counts_are_kept_and_no_overlap_has_a_smaller_p_value():
    """Brute force: all ways to lay 4 and 2 hits of 5, and 1 and 2 false alarms of 4, over each other."""
    truth, a = most_alike(9, 5, 4, 1)
    assert [(a[truth == 0] == 0).sum(), (a[truth == 1] == 0).sum(), len(a)] == [4, 1, 9]
    smallest = {metric: swap_test(5, (4, 1), (2, 2), metric)[0] for metric in SCORES}
    for hits, alarms in product(range(3), range(2)):  # how many of B's are not among A's
        b = np.ones(9, int)
        b[[*range(2 - hits), *range(4, 4 + hits)][:2]] = 0
        b[[5, 7] if alarms == 0 else [7, 8]] = 0
        if (b[truth == 0] == 0).sum() != 2:
            continue  # B has no two hits outside of A's four
        for metric in SCORES:
            assert enumerated(metric, truth, a, b)[0] >= smallest[metric] - 1e-9


@pytest.fixture(scope="module")
def cases():
    keys = ["source", "paper_set", "printed_as", "target", "metric"]
    return best_cases(n_resamples=40_000).set_index(keys).sort_index()


def test_deepdrids_gain_and_table_5s_illumination_are_significant_in_no_overlap(cases):
    """By hand: 53 and 51 of 54, so p = 2 / 2^2; a bootstrap misses both of 160 with (158 / 160)^160."""
    gain = cases.loc["Table 2", "deepdrid", "MT-DeepDRiD", "overall", "f1"]
    assert gain["bootstrap"] == pytest.approx(0.174, abs=0.008)  # four standard errors of the draws
    assert gain["bootstrap"] / 2 == pytest.approx(0.087, abs=0.004)
    recall = cases.loc["Table 5", "eyeq_d", "Ophthalmologist", "illumination", "recall"]
    assert recall[["exact", "mid_p"]].tolist() == [0.5, 0.25]
    assert recall["bootstrap"] == pytest.approx(2 * (158 / 160) ** 160, abs=0.01)  # 0.267
    said = can_be(cases)
    assert said[[gain.name, recall.name]].tolist() == ["no", "no"]


def test_every_asterisk_of_tables_4_and_5_has_its_best_case(cases):
    said = can_be(cases)
    assert cases.groupby("source").size().to_dict() == {"Table 2": 1, "Table 4": 5, "Table 5": 4}
    assert said.value_counts().to_dict() == {"yes": 5, "no": 4, "one-sided only": 1}
    assert said["Table 4", "mshf"]["MT-EyeQ", "contrast", "f1"] == "no"
    assert (cases["rival"] != cases.index.get_level_values("printed_as")).all()
    assert can_be(cases, alpha=1e-9).eq("no").all()
    assert can_be(cases, alpha=0.6).eq("yes").all()


def test_models_that_share_a_truth_are_counted_against_the_same(cases):
    fits = fitting_tables("Table 2", "deepdrid", "overall")
    assert fits["MT-DeepDRiD"].iloc[:, :3].to_numpy().tolist() == [[220, 186, 72]]
    assert fits["ST-DeepDRiD"].iloc[:, :3].to_numpy().tolist() == [[220, 172, 59]]
    fits = fitting_tables("Table 4", "eyeq_d", "illumination")
    assert {positive for table in fits.values() for positive in table["n_positive"]} == {61}


def test_rows_hold_a_p_value_per_test(cases):
    rows = rows_of(cases.reset_index())
    assert rows["method"].value_counts().to_dict() == dict.fromkeys(TESTS.values(), len(cases))
    own = rows[(rows["dataset"] == "deepdrid") & (rows["method"] == "best_exact")]
    keys = own[["model", "rival", "group", "n"]].iloc[0].tolist()
    assert keys == ["MT-DeepDRiD", "ST-DeepDRiD", "bad", 400]
    assert own["value"].item() == pytest.approx(0.015)

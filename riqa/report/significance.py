"""The tests of a page: every comparison by every test with Holm's correction, margins, and power."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from riqa.evaluate.equivalence import MarginVerdict, equivalence
from riqa.evaluate.pairs import holm, mcnemar_test, paired_values, wilcoxon_test
from riqa.evaluate.power import detectable_difference, joint_counts, power, power_curve
from riqa.report.comparison import compare_models, groups_of, paired_probs
from riqa.report.results import Result, record
from riqa.report.style import model_name
from riqa.report.tables import page_table

TESTS = {
    "bootstrap": "paired bootstrap",
    "wilcoxon": "Wilcoxon, two-tailed",
    "wilcoxon_greater": "Wilcoxon, one-tailed",
    "mcnemar": "McNemar, first seed",
}
"""The tests of `paired_tests`, and what they are called on pages."""


def paired_tests(
    predictions: pd.DataFrame,
    pairs: Iterable[tuple[str, str]],
    *,
    wilcoxon_on: str = "image_probability",
    n_resamples: int = 2_000,
) -> pd.DataFrame:
    """Test each pair of models on one dataset by each of `TESTS`.

    The bootstrap draws patients and seeds, and compares macro-F1. Wilcoxon's test takes what
    `riqa.evaluate.pairs.PAIRS` says; one-tailed, that the first model is better. McNemar's test (mid-p)
    compares who is right, for the networks of the first seed.

    Args:
        predictions: rows of `riqa.learn.predict.predict` of one dataset.
        pairs: names of models, A and B.
        wilcoxon_on: one of `riqa.evaluate.pairs.PAIRS`.
        n_resamples: bootstrap replicates.

    Returns:
        A row a pair and test: dataset, model_a, model_b, test, p_value (in [0, 1]), n (pairs).
    """
    (dataset,) = predictions["dataset"].unique()
    rows = []
    for model_a, model_b in pairs:
        images, *probs = paired_probs(predictions, model_a, model_b)
        truth = images["overall"].to_numpy().astype(int)
        a, b = (paired_values(truth, p, wilcoxon_on) for p in probs)
        p_value = compare_models(predictions, model_a, model_b, n_resamples=n_resamples)[1]
        two, one = wilcoxon_test(a, b), wilcoxon_test(a, b, "greater")
        right = mcnemar_test(*(p[0].argmax(axis=-1) == truth for p in probs))
        found = [(p_value.value, p_value.n)] + [(test.p_value, test.n) for test in (two, one, right)]
        rows += [(dataset, model_a, model_b, test, *f) for test, f in zip(TESTS, found, strict=True)]
    return pd.DataFrame(rows, columns=["dataset", "model_a", "model_b", "test", "p_value", "n"])


def with_holm(tests: pd.DataFrame) -> pd.DataFrame:
    """Add `p_holm`: corrected over all comparisons that a test was used for, one family a test."""
    return tests.assign(p_holm=tests.groupby("test")["p_value"].transform(lambda p: holm(p.to_numpy())))


def tests_for_page(tests: pd.DataFrame, caption: str) -> Styler:
    """Show the table of `with_holm`: a row a comparison, a column a test, p-value and below it Holm's."""
    cells = tests.assign(
        comparison=[
            f"{row.dataset}: {model_name(f'{row.model_a}-{row.model_b}')}" for row in tests.itertuples()
        ],
        cell=[f"{_p(row.p_value)}<br><small>Holm {_p(row.p_holm)}</small>" for row in tests.itertuples()],
    )
    wide = cells.pivot(index="comparison", columns="test", values="cell")
    wide = wide.loc[list(dict.fromkeys(cells["comparison"])), [t for t in TESTS if t in wide]]
    return page_table(wide.rename(columns=TESTS), caption)


def _p(p_value: float) -> str:
    return "&lt; 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def records_of_tests(tests: pd.DataFrame) -> list[Result]:
    """Return ``tests.<dataset>.<a>-<b>.<test>.p_value`` and ``.p_holm`` of the table of `with_holm`."""
    return [
        record(f"tests.{row.dataset}.{row.model_a}-{row.model_b}.{row.test}.{column}", value, n=row.n)
        for row in tests.itertuples()
        for column, value in (("p_value", row.p_value), ("p_holm", row.p_holm))
    ]


def margin_of(
    predictions: pd.DataFrame, model_a: str, model_b: str, margin: float, *, n_resamples: int = 2_000
) -> MarginVerdict:
    """Ask whether two models' macro-F1 on one dataset differ by less than a margin, drawing patients."""
    images, probs_a, probs_b = paired_probs(predictions, model_a, model_b)
    return equivalence(
        images["overall"].to_numpy(),
        probs_a.argmax(axis=-1),
        probs_b.argmax(axis=-1),
        margin=margin,
        n_classes=probs_a.shape[-1],
        groups=groups_of(images),
        n_resamples=n_resamples,
    )


_NARROWER = " by this interval, which is narrower than one of 95 %"


def margin_text(verdict: MarginVerdict, model_a: str, model_b: str) -> str:
    """Say in a sentence what a margin's verdict is, and no more than that."""
    a, b, found = model_name(model_a), model_name(model_b), verdict.difference
    if verdict.equivalent:
        says = f"{a} and {b} are equivalent within {verdict.margin:g}"
        says += f", although one is better{_NARROWER}" if verdict.superior or verdict.inferior else ""
    elif verdict.non_inferior:
        says = f"{a} is not worse than {b} by {verdict.margin:g} or more"
        better = f", and it is better{_NARROWER}"
        says += better if verdict.superior else "; whether it is better by as much stays open"
    elif found.high <= -verdict.margin:
        says = f"{a} is worse than {b} by {verdict.margin:g} or more"
    else:
        says = f"{a} may be worse than {b} by {verdict.margin:g} or more: neither equivalence nor "
        says += "non-inferiority is shown"
    return f"{says} (90 % interval {found.low:+.3f} to {found.high:+.3f})."


def margin_records(verdict: MarginVerdict, dataset: str, model_a: str, model_b: str) -> list[Result]:
    """Return ``equivalence.<dataset>.<a>-<b>.<what>``: difference, margin, and verdicts as 1 and 0."""
    name, found = f"equivalence.{dataset}.{model_a}-{model_b}", verdict.difference
    method = "two one-sided tests at 0.05: the 90 % interval of the paired bootstrap against the margin"
    return [
        record(f"{name}.macro_f1", found.value, low=found.low, high=found.high, method=method),
        record(f"{name}.margin", verdict.margin),
        record(f"{name}.equivalent", float(verdict.equivalent), method=method),
        record(f"{name}.non_inferior", float(verdict.non_inferior), method=method),
    ]


def power_of(
    predictions: pd.DataFrame, model_a: str, model_b: str, sizes: Sequence[int], n_studies: int = 4_000
) -> tuple[pd.DataFrame, list[Result]]:
    """Ask what test sets of some sizes could find between models that disagree as these two do.

    Args:
        predictions: rows of `riqa.learn.predict.predict` of one dataset, with both models.
        model_a: one model.
        model_b: the other one.
        sizes: Numbers of images.
        n_studies: Simulated studies a point of the curve.

    Returns:
        The curves of `riqa.evaluate.power.power_curve` with a column `n_images`, and records
        ``power.<dataset>.<a>-<b>.<size>.detectable`` (the difference found with a power of 0.8; None if more
        than the curve reaches) and ``...<size>.as_found`` (the power for the difference that was found, in
        its own direction).
    """
    (dataset,) = predictions["dataset"].unique()
    images, probs_a, probs_b = paired_probs(predictions, model_a, model_b)
    answers = probs_a.argmax(axis=-1), probs_b.argmax(axis=-1)
    joint = joint_counts(images["overall"].to_numpy(), *answers, probs_a.shape[-1])
    curves, records = [], []
    for size in sizes:
        curve = power_curve(joint, size, n_studies=n_studies)
        either = max(power(world, size, n_studies=n_studies) for world in (joint, joint.swapaxes(1, 2)))
        name, method = f"power.{dataset}.{model_a}-{model_b}.{size}", f"{n_studies} simulated studies"
        detectable = detectable_difference(curve)
        records.append(record(f"{name}.detectable", detectable, n=size, method=f"power 0.8; {method}"))
        records.append(record(f"{name}.as_found", either, n=size, method=method))
        curves.append(curve.assign(n_images=size))
    return pd.concat(curves, ignore_index=True), records


def mcnemar_by_seed(predictions: pd.DataFrame, model_a: str, model_b: str) -> np.ndarray:
    """Return McNemar's p-value (mid-p) seed by seed, (S,): how much the verdict hangs on one training run."""
    images, probs_a, probs_b = paired_probs(predictions, model_a, model_b)
    truth = images["overall"].to_numpy()
    right = (p.argmax(axis=-1) == truth for p in (probs_a, probs_b))
    return np.array([mcnemar_test(a, b).p_value for a, b in zip(*right, strict=True)])

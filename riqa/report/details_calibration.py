"""How honest the probabilities of the details are: calibration of each model on each judged set."""

from collections.abc import Iterable, Mapping

import pandas as pd

from riqa.evaluate.calibration import Calibration, calibration
from riqa.labels import DETAILS
from riqa.report.details import interval_text, judged_answers, reader_name
from riqa.report.results import Result, record
from riqa.report.seeds import METHOD


def detail_calibration(
    predictions: pd.DataFrame, *, n_bins: int = 10, n_resamples: int = 2_000, confidence: float = 0.95
) -> dict[str, Calibration]:
    """Measure the calibration of one model on one dataset, detail by detail.

    Args:
        predictions: rows of `riqa.learn.predict.predict` with one value of `dataset` and of `model`.
        n_bins: bins of equal width.
        n_resamples: bootstrap replicates over patients and seeds.
        confidence: coverage of the intervals, in (0, 1).

    Returns:
        Detail -> calibration; a detail that nobody judged is left out.
    """
    found = {}
    for detail in DETAILS:
        images, truth, probs = judged_answers(predictions, detail)
        if len(truth):
            draw = {"groups": images["patient_id"].to_numpy(), "n_resamples": n_resamples}
            found[detail] = calibration(truth, probs, n_bins=n_bins, confidence=confidence, **draw)
    return found


def calibration_results(predictions: pd.DataFrame, measured: Mapping[str, Calibration]) -> list[Result]:
    """Make records ``details.<dataset>.<model>.<detail>.`` ``ece``, ``ece_floor`` and ``brier``.

    Args:
        predictions: as in `detail_calibration`.
        measured: what it returned for them; a detail that is not there gets records without value.
    """
    (dataset,), (model,) = predictions["dataset"].unique(), predictions["model"].unique()
    seeds, results = sorted(predictions["seed"].unique()), []
    for detail in DETAILS:
        prefix, n = f"details.{dataset}.{model}.{detail}", len(judged_answers(predictions, detail)[1])
        if detail not in measured:
            names = ("ece", "ece_floor", "brier")
            results += [record(f"{prefix}.{name}", None, n=0, method="no image is judged") for name in names]
            continue
        of = measured[detail]
        pooled = f"answers of all seeds in one table of {len(of.table)} bins"
        ends = {"low": of.ece.low, "high": of.ece.high}
        method = f"{pooled}; percentile bootstrap over patients and seeds"
        results.append(record(f"{prefix}.ece", of.ece.value, n=n, seeds=seeds, method=method, **ends))
        method = f"{pooled}; truths drawn from the probabilities"
        results.append(record(f"{prefix}.ece_floor", of.floor, n=n, seeds=seeds, method=method))
        ends = {"low": of.brier.low, "high": of.brier.high}
        results.append(record(f"{prefix}.brier", of.brier.value, n=n, seeds=seeds, method=METHOD, **ends))
    return results


def calibration_table(results: Mapping[str, Result], dataset: str, models: Iterable[str]) -> pd.DataFrame:
    """Lay `calibration_results` out: a row a model and detail; ECE, its floor, Brier score, as text."""
    rows = []
    for model in models:
        for detail in DETAILS:
            ece, floor, brier = (
                results[f"details.{dataset}.{model}.{detail}.{name}"]
                for name in ("ece", "ece_floor", "brier")
            )
            rows.append((reader_name(model), detail, *map(interval_text, (ece, floor, brier))))
    return pd.DataFrame(rows, columns=["model", "detail", "ECE", "floor of ECE", "Brier score"])

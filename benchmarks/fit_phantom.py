"""Fit the phantom's troubles and its graders to the 160 photographs of EyeQ-D, and show the fit.

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/fit_phantom.py DATA [--fit]

DATA holds `eyeq-d/`. Without `--fit` it compares what the package draws with what is observed: for each
overall class the share of photographs whose detail the experts call bad, and the correlations between
details. With `--fit` it searches first, from the package's values, for the chances, loadings, weights and so
on that fit best, and prints them to be rounded into `riqa/phantom/trouble.py` and `riqa/phantom/raters.py`.
Nothing is rendered.

What is minimised is the deviance of the nine shares and of the classes' prevalences (binomial and
multinomial) plus the squared differences of the correlations over their standard errors: fourteen free
numbers, fitted by eleven. The same random numbers serve every trial.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, logit
from statsmodels.stats.proportion import proportion_confint

from benchmarks.results import BUILT, tabulate
from riqa.data.adapters import read_catalogue
from riqa.labels import DETAILS
from riqa.phantom import raters, trouble

CLASSES = ("reject", "usable", "good")
PAIRS = ((0, 1), (0, 2), (1, 2))
N_FIT, N_SHOW = 20_000, 400_000  # photographs drawn for a trial, and to show the fit
NAME = "phantom_fit"

Observed = tuple[np.ndarray, np.ndarray, np.ndarray]


def observed(folder: Path) -> tuple[Observed, np.ndarray]:
    """Return what `summary` does, of EyeQ-D's labels, and the number of photographs of each class."""
    rows = read_catalogue("eyeq_d", folder).manifest
    bad = 1 - rows[list(DETAILS)].to_numpy(dtype=float)
    overall = rows["overall"].to_numpy(dtype=int)
    count = np.bincount(overall)
    return summary(bad, overall, count), count


def summary(bad: np.ndarray, overall: np.ndarray, mix: np.ndarray) -> Observed:
    """Summarise photographs.

    Args:
        bad: (N, 3), 1 where a detail is bad.
        overall: int (N,) in 0..2.
        mix: (3,) classes' weights for the correlations.

    Returns:
        Shares of bad (3 classes, 3 details), correlations of the pairs (3,), shares of the classes (3,).
    """
    count = np.bincount(overall, minlength=3)
    shares = np.array([bad[overall == k].mean(axis=0) for k in range(3)])
    covariance = np.cov(bad.T, aweights=(mix / count)[overall])
    spread = np.sqrt(np.diag(covariance))
    return (
        shares,
        np.array([covariance[i, j] / spread[i] / spread[j] for i, j in PAIRS]),
        count / len(overall),
    )


def drawn(values: Mapping[str, dict[str, float]], reject_above: float, n: int, seed: int, mix: np.ndarray):
    """Draw photographs, have their details and overall quality judged, and return their `summary`."""
    rng = np.random.default_rng(seed)
    severities = trouble.draw_severities(n, values["chances"], rng, values["loadings"], values["shapes"])
    perceived = raters.perceived_severity(severities)
    seen = np.stack([perceived[detail] for detail in DETAILS], axis=1)
    scores = raters.EXPERTS.rate(seen, [raters.THRESHOLD], rng)
    good = raters.majority(scores, raters.draw_panels(n, rng))
    thresholds = (raters.GRADE_THRESHOLDS[0], reject_above)
    score = raters.overall_score(severities, values["weights"])
    overall = np.median(raters.GRADERS.rate(score[:, None], thresholds, rng)[..., 0], axis=1)
    return summary(1 - good, overall.astype(int), mix)


def misfit(found: Observed, wanted: Observed, count: np.ndarray) -> float:
    """Deviance of shares and classes plus squared standardised differences of the correlations."""
    p, q = (np.clip(each[0], 0.003, 0.997) for each in (found, wanted))
    shares = 2 * (count[:, None] * (q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p)))).sum()
    classes = 2 * (count * np.log(wanted[2] / np.clip(found[2], 0.003, 1))).sum()
    error = (1 - wanted[1] ** 2) / np.sqrt(count.sum())
    return float(shares + classes + (((found[1] - wanted[1]) / error) ** 2).sum())


def ours() -> tuple[dict[str, dict[str, float]], float]:
    """Return the package's values."""
    values = {
        "chances": trouble.TROUBLE["grades"],
        "loadings": trouble.LOADINGS,
        "shapes": trouble.SHAPES,
        "weights": raters.WEIGHTS,
    }
    return {name: dict(value) for name, value in values.items()}, raters.GRADE_THRESHOLDS[1]


def fit(wanted: Observed, count: np.ndarray, n_trials: int) -> tuple[dict[str, dict[str, float]], float]:
    """Search by Nelder and Mead's simplex; what concerns artifacts stays."""
    start, reject_above = ours()

    def unpack(t):
        values, _ = ours()
        for k, detail in enumerate(DETAILS):
            values["chances"][detail], values["loadings"][detail] = expit(t[k]), expit(t[3 + k])
            values["weights"][detail] = np.exp(t[6 + k])
        values["shapes"]["illumination"] = np.exp(t[9])
        return values, float(np.exp(t[10]))

    def loss(t):
        found = drawn(*unpack(t), N_FIT, 0, count)
        return misfit(found, wanted, count) if np.isfinite(found[1]).all() else 1e6

    t = np.array(
        [logit(start[name][detail]) for name in ("chances", "loadings") for detail in DETAILS]
        + [np.log(start["weights"][detail]) for detail in DETAILS]
        + [np.log(start["shapes"]["illumination"]), np.log(reject_above)]
    )
    simplex = np.vstack([t, t + 0.2 * np.eye(len(t))])
    options = {"initial_simplex": simplex, "maxfev": n_trials, "xatol": 0.005, "fatol": 0.02}
    return unpack(minimize(loss, t, method="Nelder-Mead", options=options).x)


def table_of(found: Observed, wanted: Observed, count: np.ndarray) -> pd.DataFrame:
    """Return one row per number: observed, its 95 % interval (Wilson's; Fisher's for correlations), drawn."""
    rows = []
    for k, name in enumerate(CLASSES):
        for d, detail in enumerate(DETAILS):
            n_bad = round(wanted[0][k, d] * count[k])
            interval = proportion_confint(n_bad, count[k], method="wilson")
            rows.append((f"{detail} bad, {name}", n_bad / count[k], *interval, found[0][k, d]))
    for k, (i, j) in enumerate(PAIRS):
        interval = np.tanh(np.arctanh(wanted[1][k]) + np.array([-1, 1]) * 1.96 / np.sqrt(count.sum() - 3))
        rows.append((f"correlation {DETAILS[i]}, {DETAILS[j]}", wanted[1][k], *interval, found[1][k]))
    return pd.DataFrame(rows, columns=["what", "observed", "low", "high", "drawn"])


def picture(table: pd.DataFrame, path: Path) -> None:
    """Draw observed numbers with their intervals, and beside them the phantoms'."""
    figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
    place = np.arange(len(table))[::-1]
    error = np.abs(table[["low", "high"]].to_numpy() - table[["observed"]].to_numpy()).T
    axis.errorbar(table["observed"], place, xerr=error, fmt="o", capsize=3, label="EyeQ-D, 95 % interval")
    axis.plot(table["drawn"], place, "D", mfc="none", label="phantoms")
    axis.set(
        yticks=place, yticklabels=table["what"], xlim=(0, 1), xlabel="share of photographs, or correlation"
    )
    axis.legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder that holds eyeq-d/")
    parser.add_argument("--fit", action="store_true", help="search for the best values first")
    parser.add_argument("--trials", type=int, default=900)
    parser.add_argument("--out", type=Path, default=BUILT / f"{NAME}.json")
    options = parser.parse_args()
    wanted, count = observed(options.data / "eyeq-d")
    values, reject_above = fit(wanted, count, options.trials) if options.fit else ours()
    for name, value in values.items():
        print(name, {group: round(float(number), 3) for group, number in value.items()})
    print(f"reject above {reject_above:.3f}")
    found = drawn(values, reject_above, N_SHOW, 1, count)
    print(f"classes {found[2].round(3)}, observed {wanted[2].round(3)}")
    print(f"misfit {misfit(found, wanted, count):.2f}")
    table = table_of(found, wanted, count)
    shown = table.assign(
        interval=[f"{a:.2f} to {b:.2f}" for a, b in zip(table["low"], table["high"], strict=True)]
    )
    shown[["observed", "drawn"]] = shown[["observed", "drawn"]].map("{:.2f}".format)
    columns = {"what": "what", "observed": "EyeQ-D", "interval": "95 % interval", "drawn": "phantoms"}
    classes = ", ".join(f"{n} {name}" for name, n in zip(CLASSES, count, strict=True))
    conditions = f"{count.sum()} photographs of EyeQ-D ({classes}) against {N_SHOW:,} draws of severities"
    tabulate(options.out, conditions, shown[list(columns)].rename(columns=columns))
    picture(table, options.out.with_suffix(".png"))


if __name__ == "__main__":
    main()

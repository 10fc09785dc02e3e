"""Two recipes of training side by side: how good a model has become by what it has cost."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from riqa.plots import BLUE, THEME, WIDTH

RECIPES = {"paper": ("the paper's", BLUE), "faster": ("the faster", "#DE8F05")}
"""Name on the page and colour of each recipe."""


def best_so_far(curve: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    """Return the score of the best epoch up to each cost, one column per seed.

    Args:
        curve: records with `seed`, `cost` (image passes, rising with a seed's epochs) and `score` (macro-F1).

    Returns:
        Index: cost. A seed that stopped early keeps its best.
    """
    frame = pd.DataFrame(curve).pivot(index="cost", columns="seed", values="score")
    return frame.cummax().ffill()


@mpl.rc_context(THEME)
def recipe_figure(comparison: Mapping[str, Any]) -> Figure:
    """Draw validation macro-F1 of the best epoch so far against image passes.

    Args:
        comparison: what `benchmarks/recipes.py` writes.
    """
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axis = figure.subplots()
    for recipe, (name, colour) in RECIPES.items():
        scores = best_so_far(comparison["recipes"][recipe]["curve"])
        if scores.shape[1] > 1:
            axis.plot(scores, color=colour, lw=0.8, alpha=0.5)
        axis.plot(scores.mean(axis=1), color=colour, lw=2, label=name)
        axis.plot(scores.index[-1], scores.mean(axis=1).iloc[-1], "o", color=colour)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda passes, _: f"{passes / 1000:g}"))
    axis.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    axis.set(title=comparison["name"], xlabel="image passes, thousands", ylabel="macro-F1, validation")
    axis.legend(title="recipe", loc="lower right")
    return figure


def recipe_table(comparison: Mapping[str, Any]) -> pd.DataFrame:
    """Tabulate what each recipe reached at which cost, and the difference with its interval: one row."""
    paper, faster = (comparison["recipes"][recipe] for recipe in RECIPES)
    reached = [np.mean([best["score"] for best in told["best"].values()]) for told in (paper, faster)]
    gain = comparison["difference"]
    row = {
        "images": comparison["name"],
        "network": f"{comparison['backbone']}, {comparison['side']} pixels",
        "seeds": len(paper["best"]),
        "the paper's": f"{reached[0]:.3f}",
        "the faster": f"{reached[1]:.3f}",
        "difference": f"{gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]",
        "passes": f"{comparison['passes']:.3f}",
        "target": "met" if comparison["met"] else "missed",
    }
    return pd.DataFrame([row])

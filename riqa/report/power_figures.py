"""A figure of what test sets of several sizes can find."""

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from riqa.report.figures import WIDTH
from riqa.report.style import FIGURE_STYLE

_COLOURS, _MARKERS = ("#D55E00", "#0173B2", "#029E73", "#CC78BC"), "os^D"


@mpl.rc_context(FIGURE_STYLE)
def power_curves(curves: pd.DataFrame, wanted: float = 0.8, observed: float | None = None) -> Figure:
    """Draw power against the difference in macro-F1, a line a size.

    Args:
        curves: What `riqa.report.significance.power_of` returns: difference, power, n_images.
        wanted: Power marked by a horizontal line, in (0, 1).
        observed: A difference to mark, without its sign; None marks nothing.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.4), layout="constrained")
    for place, (size, curve) in enumerate(curves.groupby("n_images", sort=True)):
        style = {"color": _COLOURS[place % 4], "marker": _MARKERS[place % 4]}
        axis.plot(curve["difference"], curve["power"], ms=5, lw=1.6, label=f"{size:,} images", **style)
    axis.axhline(wanted, color="black", lw=1, ls="--")
    if observed is not None:
        axis.axvline(abs(observed), color="#555555", lw=1, ls=":", label="difference found here")
    axis.set(xlabel="true difference in macro-F1", ylabel="share of studies that find it", ylim=(-0.02, 1.03))
    axis.legend(loc="lower right")
    figure.suptitle("What a test set of each size can find")
    return figure

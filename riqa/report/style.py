"""How models, classes and details are called and coloured, the same in every table and figure.

The colours are seaborn's "colorblind" palette (Okabe and Ito's, adapted); figures keep a white background,
so that they read alike on the light and the dark theme of the book.
"""

MODEL_NAMES = {
    "teacher": "Teacher",
    "single_task": "Single-task",
    "single_task_control": "Single-task control",
    "multi_task": "Multi-task",
    "shuffled": "Shuffled weights",
    "mcf_net": "MCF-Net",
    "quickqual": "QuickQual",
}
MODEL_COLOURS = {
    "teacher": "#949494",
    "single_task": "#DE8F05",
    "single_task_control": "#029E73",
    "multi_task": "#0173B2",
    "shuffled": "#CC78BC",
}
CLASS_COLOURS = {"reject": "#D55E00", "bad": "#D55E00", "usable": "#ECE133", "good": "#0173B2"}
DETAIL_COLOURS = {"illumination": "#DE8F05", "clarity": "#0173B2", "contrast": "#029E73"}
DETAIL_MARKERS = {"illumination": "o", "clarity": "s", "contrast": "^"}

FIGURE_STYLE = {
    "figure.dpi": 130,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10,
    "figure.titlesize": 12,
    "font.size": 10,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}


def model_name(model: str) -> str:
    """Return a model's name for readers; `a-b` becomes "A minus B", an unknown name is returned unchanged."""
    return " minus ".join(MODEL_NAMES.get(part, part) for part in model.split("-"))

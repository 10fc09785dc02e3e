"""Special cases on a map, chosen by rules that are stated before (the paper's Figure 7(a), right)."""

import numpy as np
import pandas as pd

from riqa.labels import DETAILS, class_names

BORDER_CASES = 3
RULES = {
    "1": "called good but not labelled so, with the most neighbours labelled good",
    "2": "the most confident of the other wrong grades",
    "3": "graded right, with the most confident contradiction to the experts in a detail",
    "3 (no grades)": "the most confident contradiction to the experts in a detail",
    "4": f"labelled good, neighbours as evenly mixed of good and not good as can be (up to {BORDER_CASES})",
}


def special_cases(images: pd.DataFrame, neighbours: np.ndarray, n_classes: int | None) -> pd.DataFrame:
    """Choose images by `RULES`; an image that one rule has taken is not there for the next.

    Images have overall (NaN where unknown), the details (1 good, 0 bad, NaN), and one model's
    p_overall_<code> and p_<detail>; neighbours (N, k) are positions. Truth and prediction of overall quality
    share `n_classes`; with None, where there is no such truth, only the rule about details is left.

    Returns:
        One row per case: number (as on the map: 1, 2, 3, 4a, 4b, 4c), rule, row (position in `images`), and
        what `words` says about it. Rules that no image fits are left out.
    """
    gaps = [(images[d] - images[f"p_{d}"]).abs().fillna(0.0).to_numpy(dtype=float) for d in DETAILS]
    surprise = np.max(gaps, axis=0)
    if n_classes is None:
        rules = {"3 (no grades)": (surprise, surprise > 0.5)}
    else:
        label = images["overall"].to_numpy(dtype=float)
        probs = images[[f"p_overall_{code}" for code in range(n_classes)]].to_numpy()
        called, top = probs.argmax(axis=1), n_classes - 1
        among_good = (label[neighbours] == top).mean(axis=1)
        evenness = 1 - 2 * np.abs(among_good - 0.5) + 1e-6 * (1 - probs[:, top])  # ties: least sure of good
        known = ~np.isnan(label)
        rules = {
            "1": (among_good + 1e-6 * probs[:, top], known & (label < top) & (called == top)),
            "2": (probs.max(axis=1), known & (called != label)),
            "3": (surprise, known & (called == label) & (surprise > 0.5)),
            "4": (evenness, (label == top) & (among_good < 1) & (among_good > 0)),
        }
    free, cases = np.full(len(images), True), []
    for rule, (score, fits) in rules.items():
        rows = np.flatnonzero(fits & free)
        taken = rows[np.argsort(-score[rows], kind="stable")][: BORDER_CASES if rule == "4" else 1]
        free[taken] = False
        letters = "abc" if len(taken) > 1 else [""]
        cases += [(rule[0] + letter, RULES[rule], row) for letter, row in zip(letters, taken, strict=False)]
    cases = pd.DataFrame(cases, columns=["number", "rule", "row"])
    return cases.assign(words=[words(images.iloc[row], n_classes) for row in cases["row"]])


def words(image: pd.Series, n_classes: int | None) -> str:
    """Return how an image was graded and called, then each detail on which experts and model differ.

    E.g. "usable, called good (0.83); clarity: bad, called good (0.71)"; numbers are the probability of what
    was called. "details as labelled" if they do not differ.
    """
    said = []
    if n_classes is not None:
        probs = image[[f"p_overall_{code}" for code in range(n_classes)]].to_numpy(dtype=float)
        names, code = class_names(n_classes), int(probs.argmax())
        said.append(f"{names[int(image['overall'])]}, called {names[code]} ({probs[code]:.2f})")
    differ = [d for d in DETAILS if not np.isnan(image[d]) and (image[f"p_{d}"] >= 0.5) != image[d]]
    for detail in differ:
        truth, p = image[detail], image[f"p_{detail}"]
        label, called, p = ("bad", "good", p) if truth == 0 else ("good", "bad", 1 - p)
        said.append(f"{detail}: {label}, called {called} ({p:.2f})")
    return "; ".join(said if differ else [*said, "details as labelled"])

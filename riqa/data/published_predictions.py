"""What others' models said about EyeQ's test images: predictions released with MCF-Net and QuickQual.

`riqa fetch published` puts two files into a folder, each with one row per image of EyeQ's test set:

    mcf_net_eyeq_test.csv      Fu et al., MICCAI 2019    image_name, Good, Usable, Reject
    quickqual_eyeq_test.csv    Engelmann et al., 2023    image_name, Good, Usable, Reject

Beware: the columns run from good to reject, the reverse of the code used here. MCF-Net's three numbers are
scores between 0 and 1 that do not sum to 1 (0.67 to 1.16); they are kept as they were published.
"""

from pathlib import Path

import pandas as pd

from riqa.data.adapters.eyeq import read_label_file
from riqa.data.sheets import read_labels, refuse, refuse_twice
from riqa.errors import InputError
from riqa.labels import DETAILS

FILES = {"mcf_net": "mcf_net_eyeq_test.csv", "quickqual": "quickqual_eyeq_test.csv"}
"""Model -> its file."""

_KEYS = ["image_id", "dataset", "split", "patient_id", "eye", "model", "seed", "trained_on"]
_COLUMNS = ["Reject", "Usable", "Good"]  # in the order of the code of riqa.labels
_ADVICE = "fetch it again with `riqa fetch published`"


def read_published_predictions(folder: Path | str, labels: Path | str) -> pd.DataFrame:
    """Read one or both of `FILES` in a folder, beside the labels in EyeQ's `Label_EyeQ_test.csv`.

    Returns one row per image and model, as `riqa.learn.predict.predict` writes: model is a key of `FILES`,
    seed 0 (there is one run each); p_overall_0 .. p_overall_2 stand for reject, usable, good; details are
    NaN. Raises an InputError if neither file or not the label file is there, one is unreadable, lacks a
    column, holds what is no number in [0, 1], or names other images than the label file does.
    """
    there = {model: Path(folder) / name for model, name in FILES.items() if (Path(folder) / name).is_file()}
    if not there:
        names = " nor ".join(FILES.values())
        raise InputError(f"{folder} holds neither {names}; get them with `riqa fetch published`")
    truth = read_label_file(Path(labels)).set_index("stem")
    return pd.concat([_read(path, truth, model) for model, path in there.items()], ignore_index=True)


def _read(path: Path, truth: pd.DataFrame, model: str) -> pd.DataFrame:
    """Read one file beside the truth, in the order of the truth."""
    table = read_labels(path, ("image_name", *_COLUMNS), _ADVICE)
    stems = table["image_name"].fillna("").map(lambda name: Path(name).stem)
    refuse_twice(stems, path)
    probs = table[_COLUMNS].apply(pd.to_numeric, errors="coerce").set_axis(stems)
    wrong = ~((probs >= 0) & (probs <= 1)).all(axis=1)  # NaN is wrong, too
    refuse(probs.index[wrong], f"{path}: image {{}} has no three numbers in [0, 1]; {_ADVICE}")
    strange, lacking = probs.index.difference(truth.index), truth.index.difference(probs.index)
    if len(strange) or len(lacking):
        text = f"{path} names {len(strange)} images that EyeQ's label file has not, and lacks {len(lacking)}"
        text += f" of its {len(truth)} ({[*strange, *lacking][0]} ..); {_ADVICE}, and the label file"
        raise InputError(text)
    rows = truth.assign(dataset="eyeq", split="test", model=model, seed=0, trained_on="eyeq")[_KEYS]
    rows[[f"p_overall_{code}" for code in range(3)]] = probs.loc[truth.index].to_numpy()
    rows[[f"p_{detail}" for detail in DETAILS]] = float("nan")
    rows = rows.assign(overall=truth["overall"], **dict.fromkeys(DETAILS, float("nan")))
    return rows.reset_index(drop=True)

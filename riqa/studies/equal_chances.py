"""Selection by equal chances: the paper lets the control keep its start, and the Student not."""

import pandas as pd

from riqa.predictions import with_answers

MODEL = "multi_task_or_start"


def student_or_start(predictions: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Select the Student under the control's rule: an epoch must be strictly better than its start.

    The Student starts as the single-task model with a new details head, so where it keeps its start, its
    grades are those of the single-task model. Nothing is trained again.

    Predictions are of `single_task` and `multi_task`, the history is that of chapter 05. What comes back are
    rows of one model, `MODEL`, in the format of `predictions`, and which of the two they are (`kept`).

    Raises:
        ValueError: If the start of a Student (epoch 0) is not in the history.
    """
    own = history[history["model"] == "multi_task"].set_index(["trained_on", "seed"])
    start, best = (own.loc[rows, "val_score"] for rows in (own["epoch"] == 0, own["best"]))
    if not start.index.sort_values().equals(best.index.sort_values()):
        raise ValueError("the history must hold the start and the kept epoch of every Student, each once")
    kept = (best > start).map({True: "multi_task", False: "single_task"}).rename("kept")
    told = predictions.join(kept, on=["trained_on", "seed"])
    chosen = told[told["model"] == told["kept"]]
    return with_answers(chosen.assign(model=MODEL).reset_index(drop=True))

"""Every parameter of a chapter that trains decides what is trained; none is lost on the way.

The chapters' own code is run up to the point where training would begin, on the smoke book's artifacts.
"""

import matplotlib
import pandas as pd
import pytest

import riqa.learn.equal_cost
import riqa.learn.flips
import riqa.learn.runs
import riqa.learn.weighting
import riqa.plots
from riqa.publish.parameters import declared_parameters
from riqa.publish.plan import all_values, plan
from tests.book.again import execute, sources
from tests.publish.toy import REPOSITORY

pytestmark = pytest.mark.book

CHAPTERS = ("02_train_teacher", "04_train_single_task", "05_train_multi_task")
ELSEWHERE = {"work", "out", "beyond", "n_flip_images", "flip_margin"}  # paths, and what is only shown
ELSEWHERE |= {"backbones_compared", "comparison_cost"}  # decide a second training, see the last test
VALUES = {
    "details_set": "details_under_another_name",
    "observer_set": "phantom_details",
    "overall_sets": ["phantom_eyes"],
    "seeds": [1],
    "backbone": "resnet18",
    "weights": "imagenet",
    "epochs": 3,
    "batch_size": 8,
    "learning_rate": 0.5,
    "momentum": 0.1,
    "weight_decay": 0.2,
    "schedule": "steps",
    "halve_at": [1],
    "warm_up": 0.4,
    "start_scale": 0.7,
    "frozen_share": 0.2,
    "ema_decay": 0.9,
    "patience": 2,
    "kept_epoch": "last",
    "lambda_overall": 0.7,
    "lambda_details": 0.7,
    "lambda_details_grid": [5.0],
    "n_tuning_seeds": 2,
    "tuning_sets": ["phantom_eyes"],
    "pseudo_label_kind": "hard",
    "precision": "bfloat16",
    "device": "auto",
    "max_transforms": 5,
    "max_rotation": 3.0,
    "max_colour_change": 0.3,
}


class TrainingBegins(Exception):  # noqa: N818
    """Raised instead of training."""


def work_with_two_details_sets(smoke, folder):
    """Return a folder of artifacts as those of the build, in which the details set has a second name."""
    for artifacts in smoke.work.iterdir():
        (folder / artifacts.name).mkdir()
        for path in artifacts.iterdir():
            (folder / artifacts.name / path.name).symlink_to(path)
    stores = folder / "01_curate_images" / "stores"
    stores.unlink()
    stores.mkdir()
    for store in (smoke.out("01_curate_images") / "stores").iterdir():
        (stores / store.name).symlink_to(store)
    (stores / VALUES["details_set"]).symlink_to(stores / "phantom_details")
    return folder


def runs_of(job, monkeypatch, **changes):
    """Run a chapter's code with its smoke parameters, some changed, and return what it would train."""
    asked = []

    def begin(runs, *arguments, **options):
        asked.append((runs, *(a for a in arguments if isinstance(a, tuple))))
        raise TrainingBegins

    def no_flips(*arguments, **options):
        row = {"transformation": "vertical_flip", "strength": 1.0, "flipped": 0.0, "to_bad": 0.0}
        contrast = row | {"transformation": "contrast"}
        rows = [row, contrast, contrast | {"strength": 9.0}]
        return pd.DataFrame(rows).assign(flipped_clear=0.0, largest=0.0, n=3, n_clear=3)

    monkeypatch.setattr(riqa.learn.runs, "run_all", begin)
    monkeypatch.setattr(riqa.learn.weighting, "run_trials", begin)
    monkeypatch.setattr(riqa.plots, "images", lambda *images, **options: None)
    monkeypatch.setattr(riqa.learn.flips, "flip_table", no_flips)
    notebook = job.chapter.notebook
    with pytest.raises(TrainingBegins):
        execute(sources(notebook), all_values(declared_parameters(notebook), job.parameters | changes))
    return str(asked)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_parameter_decides_what_is_trained(smoke, chapter, tmp_path, monkeypatch):
    matplotlib.use("agg")
    monkeypatch.chdir(REPOSITORY)
    job = next(job for job in plan(REPOSITORY, "smoke") if job.chapter.name == chapter)
    work = str(work_with_two_details_sets(smoke, tmp_path))
    base = runs_of(job, monkeypatch, work=work)
    assert base == runs_of(job, monkeypatch, work=work)
    names = declared_parameters(job.chapter.notebook).keys() - ELSEWHERE
    if chapter.startswith("05"):
        names -= {"details_set"}  # names its Teacher's file as well, which only exists for one set
    for name in names:
        assert runs_of(job, monkeypatch, work=work, **{name: VALUES[name]}) != base, name


def test_the_second_training_of_chapter_04_follows_its_parameters(monkeypatch):
    """The cell alone: which backbones, at which cost, from which run and the history of which model."""
    asked = []

    def begin(main, history, backbones, share, workers):
        asked.append((main, history["epoch"].tolist(), backbones, share))
        raise TrainingBegins

    monkeypatch.setattr(riqa.learn.equal_cost, "train_at_equal_cost", begin)
    code = sources(REPOSITORY / "notebooks" / "04_train_single_task.ipynb").values()
    (source,) = (text for text in code if "import train_at_equal_cost" in text)
    rows = [("a", 0, 1), ("a", 1, 2), ("b", 0, 3), ("b", 1, 4)]
    history = pd.DataFrame(rows, columns=["trained_on", "seed", "epoch"])
    names = {"history": history, "runs": ["main", "other"]}
    names |= {"overall_sets": ["b", "a"], "seeds": [1, 0], "worker_count": lambda: 1}
    for backbones, cost in ((["resnet18"], 1.0), (["resnet18"], 2.0), (["swin_t"], 1.0)):
        with pytest.raises(TrainingBegins):
            exec(source, names | {"backbones_compared": backbones, "comparison_cost": cost})
        assert asked.pop() == ("main", [4], backbones, cost)
    exec(source, names | {"backbones_compared": [], "comparison_cost": 1.0})
    assert not asked

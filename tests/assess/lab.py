"""A small phantom set, its curated store, and a model trained on it for a moment; the fixture `lab`."""

from dataclasses import dataclass
from pathlib import Path

from riqa.data.curate import curate
from riqa.data.manifest import Dataset
from riqa.data.store import Store
from riqa.learn.augment import Augmentation
from riqa.learn.config import TrainingConfig
from riqa.learn.runs import TrainingRun, execute
from riqa.phantom.study import phantom_grades


@dataclass(frozen=True)
class Lab:
    dataset: Dataset
    store: Store
    stem: Path

    def photographs(self, n=None):
        rows = self.dataset.manifest[self.dataset.manifest["split"] == "test"]
        return [self.dataset.root / path for path in sorted(rows["path"])][:n]


def make_lab(root):
    dataset = phantom_grades(root / "photographs", n_train=160, n_test=40, size=128, validation=0.25)
    store = curate(dataset, root / "store", 32)
    config = TrainingConfig(epochs=4, batch_size=16, augmentation=Augmentation(0), precision="float32")
    run = TrainingRun("multi_task", "toy", store.root, 3, 3, config, root / "models")
    execute(run)
    return Lab(dataset, store, run.stem)

"""How often a model abstains: on photographs of its own kind, of other kinds, and on no fundus at all.

    PYTHONPATH=. python benchmarks/novelty_rates.py MODEL STORE[:SPLIT] [STORE[:SPLIT] ...]
    PYTHONPATH=. python benchmarks/novelty_rates.py MODEL FOLDER[:HALF] [FOLDER[:HALF] ...]

MODEL is the stem of a trained model, STORE a folder of curated images; SPLIT is "test" where none is given.
FOLDER holds photographs; of its files sorted by name, HALF "development" is the first, third and so on, HALF
"test" the others, which nothing may be tuned on. Prints one row per store, one per folder with the exact 95 %
interval (Clopper and Pearson) of the default quantile, and one per kind of picture in
`tests/assess/strangers.py`, with the share abstained from at several quantiles. A picture without a field of
view counts as abstained from; a photograph that is set aside (several in a file, say) does not count.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest

from riqa.assess.answers import find_images, read_crop
from riqa.data.fov import crop_to_fov, find_fov
from riqa.data.store import open_store
from riqa.learn.examples import examples_of, unlabelled
from riqa.learn.model import load_model
from riqa.learn.novelty import load_novelty, outputs_with_stages
from riqa.learn.predict import in_batches
from tests.assess.strangers import STRANGERS

QUANTILES = (0.95, 0.98, 0.99)
N_PICTURES = 50

torch.set_num_threads(1)
stem = Path(sys.argv[1])
model, description = load_model(stem)
novelty = load_novelty(stem)
size = description["architecture"]["image_size"]


def scores(examples):
    outputs = in_batches(model, lambda images: outputs_with_stages(model, images), examples)
    return novelty.scores(outputs, examples.images[examples.rows]).max(axis=1)


def row(name, values, n, more=""):
    shares = "".join(f"{np.mean(values > novelty.threshold(q)):9.1%}" for q in QUANTILES)
    print(f"{name:32}{n:6}{shares}{more}")


def photographs(folder, half):
    """Read the crops of a folder's photographs, or of every second one."""
    start, step = {"": (0, 1), "development": (0, 2), "test": (1, 2)}[half]
    chosen = sorted(find_images([Path(folder)])[0])[start::step]
    read = [read_crop(path, size) for path in chosen]
    for one in read:
        if one.crop is None:
            print(f"set aside: {one.path.name}: {one.reason}")
    crops = [one.crop for one in read if one.crop is not None]
    return unlabelled(np.stack(crops))


print(f"{stem.name}, {len(novelty.validation)} validation images; quantiles {QUANTILES}")
for argument in sys.argv[2:]:
    folder, _, part = argument.partition(":")
    if (Path(folder) / "store.json").exists():
        examples = examples_of(open_store(folder), part or "test")
        row(f"{Path(folder).name} {part or 'test'}", scores(examples), len(examples))
        continue
    values = scores(photographs(folder, part))
    answered = int(np.sum(values <= novelty.threshold()))
    interval = binomtest(answered, len(values)).proportion_ci(method="exact")
    told = f"   answered {answered}: {interval.low:.1%} to {interval.high:.1%}"
    row(f"{Path(folder).name} {part}", values, len(values), told)
for kind, draw in STRANGERS.items():
    pictures = [draw(np.random.default_rng(seed)) for seed in range(N_PICTURES)]
    crops = [crop_to_fov(p, field, size) for p in pictures if (field := find_fov(p)) is not None]
    found = scores(unlabelled(np.stack(crops))) if crops else []
    row(kind, np.concatenate([found, np.full(N_PICTURES - len(crops), np.inf)]), N_PICTURES)

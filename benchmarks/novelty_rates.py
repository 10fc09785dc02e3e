"""How often a model abstains: on photographs of its own kind, of other kinds, and on no fundus at all.

    PYTHONPATH=. python benchmarks/novelty_rates.py MODEL STORE[:SPLIT] [STORE[:SPLIT] ...]

MODEL is the stem of a trained model, STORE a folder of curated images; SPLIT is "test" where none is given.
Prints a row a store and a row a kind of picture in `tests/assess/strangers.py`, with the share abstained from
at several quantiles. A picture without a field of view counts as abstained from.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from riqa.data.fov import crop_to_fov, find_fov
from riqa.data.store import open_store
from riqa.learn.examples import examples_of, unlabelled
from riqa.learn.inference import in_batches
from riqa.learn.model import load_model
from riqa.learn.novelty import load_novelty, outputs_with_stages
from tests.assess.strangers import STRANGERS

QUANTILES = (0.95, 0.98, 0.99)
N_PICTURES = 50

torch.set_num_threads(1)
stem = Path(sys.argv[1])
model, description = load_model(stem)
novelty = load_novelty(stem)
size = description["architecture"]["image_size"]


def scores(examples):
    return novelty.scores(in_batches(model, lambda images: outputs_with_stages(model, images), examples))


def row(name, values, n):
    shares = "".join(f"{np.mean(values > novelty.threshold(q)):9.1%}" for q in QUANTILES)
    print(f"{name:32}{n:6}{shares}")


print(f"{stem.name}, {len(novelty.validation)} validation images; quantiles {QUANTILES}")
for argument in sys.argv[2:]:
    folder, _, split = argument.partition(":")
    examples = examples_of(open_store(folder), split or "test")
    row(f"{Path(folder).name} {split or 'test'}", scores(examples), len(examples))
for kind, draw in STRANGERS.items():
    pictures = [draw(np.random.default_rng(seed)) for seed in range(N_PICTURES)]
    crops = [crop_to_fov(p, field, size) for p in pictures if (field := find_fov(p)) is not None]
    found = scores(unlabelled(np.stack(crops))) if crops else []
    row(kind, np.concatenate([found, np.full(N_PICTURES - len(crops), np.inf)]), N_PICTURES)

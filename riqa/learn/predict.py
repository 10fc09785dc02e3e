"""Applying networks: logits and features of images, and predictions, the file that later chapters read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from riqa.data.store import Store
from riqa.labels import DETAILS
from riqa.learn.device import resolve_device, resolve_precision
from riqa.learn.examples import Examples, examples_of, to_images, unlabelled
from riqa.learn.model import QualityNet, load_model
from riqa.learn.tasks import TASKS, Task
from riqa.terminal import progress_bar
from riqa.workers import work_ahead

MOST_CLASSES = 3
PROBABILITIES = tuple(f"p_overall_{k}" for k in range(MOST_CLASSES)) + tuple(f"p_{d}" for d in DETAILS)

_PIXELS = {"cpu": 2**18, "cuda": 2**24}  # at a time; on a processor more are no faster, and take more memory


def images_at_a_time(side: int, device: torch.device) -> int:
    """Return how many images of `side` x `side` pixels a device is best given at once; at least 1."""
    return max(_PIXELS[device.type] // side**2, 1)


@torch.inference_mode()
def in_batches(
    model: nn.Module,
    outputs: Callable[..., dict[str, Tensor]],
    examples: Examples,
    precision: str = "auto",
    batch_size: int | None = None,
) -> dict[str, Tensor]:
    """Apply a model, in evaluation mode, to all images, by default as many at a time as suits its device.

    What is computed from images (B, 3, H, W) and, if given, `auxiliary` are `outputs`: the model itself
    or a part of it. They come back as (n, ...) float32 on the CPU, in the order of `examples`.
    """
    model.eval()
    device = next(model.parameters()).device
    use_bfloat16 = resolve_precision(precision, model, device) == "bfloat16"
    at_a_time = batch_size or images_at_a_time(examples.images.shape[1], device)
    batches = torch.arange(len(examples)).split(at_a_time)
    read, parts = work_ahead(lambda index: examples.pixels(index, device), batches), []
    for index, pixels in zip(batches, read, strict=True):
        with torch.autocast(device.type, torch.bfloat16, enabled=use_bfloat16):
            parts.append(outputs(to_images(pixels, device), *examples.told(index, device)))
    return {name: torch.cat([part[name].float().cpu() for part in parts]) for name in parts[0]}


def shared_features(model: QualityNet, store: Store, split: str, precision: str = "auto") -> np.ndarray:
    """Compute the features h that all heads read (paper, Eq. 2) for a split: float32 (N, D), in its order."""
    examples = examples_of(store, split)
    return in_batches(model, lambda images: {"h": model.features(images)}, examples, precision)["h"].numpy()


def predict(
    model: QualityNet,
    store: Store,
    splits: Sequence[str],
    /,
    tasks: Sequence[Task] = TASKS,
    precision: str = "auto",
    **columns: object,
) -> pd.DataFrame:
    """Apply a model to splits of a store.

    Returns:
        One row per image: image_id, dataset, split, patient_id, eye; the constant columns given (model,
        seed, trained_on); p_overall_0 .. p_overall_2 (softmax; NaN for classes that the model does not
        have); p_illumination, p_clarity, p_contrast (sigmoid, probability of good; NaN without a details
        head); the truth: overall, illumination, clarity, contrast (NaN where the details head is silent);
        and of tasks besides the book's p_<column>, their answer, and <column>, their truth.
    """
    frames = []
    for split in splits:
        examples = examples_of(store, split, tasks)
        logits = in_batches(model, model, examples, precision)
        truth = store.manifest.iloc[examples.rows].reset_index(drop=True)
        frame = truth[["image_id", "dataset", "split", "patient_id", "eye"]].assign(**columns)
        frame[list(PROBABILITIES)] = probabilities(logits)
        frame[["overall", *DETAILS]] = truth[["overall", *DETAILS]]
        for task in tasks:
            for k, column in enumerate(task.columns):
                if column not in ("overall", *DETAILS):
                    frame[f"p_{column}"] = task.answer(logits[task.name].double())[:, k].numpy()
                    frame[column] = truth[column]
        if "details" in logits:  # a detail in which the model is silent is not asked of it
            silent = [detail for detail in DETAILS if frame[f"p_{detail}"].isna().all()]
            frame[silent] = np.nan
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def predict_images(model: QualityNet, images: np.ndarray) -> pd.DataFrame:
    """Predict `PROBABILITIES` of images (N, size, size, 3) uint8 RGB, curated at the model's input size."""
    logits = in_batches(model, model, unlabelled(images))
    return pd.DataFrame(probabilities(logits), columns=list(PROBABILITIES))


def probabilities(logits: dict[str, Tensor]) -> np.ndarray:
    """Turn logits into the columns `PROBABILITIES`, (N, 6), NaN where the model has no such answer."""
    n = len(next(iter(logits.values())))
    probs = np.full((n, len(PROBABILITIES)), np.nan)
    if "overall" in logits:
        probs[:, : logits["overall"].shape[1]] = torch.softmax(logits["overall"].double(), dim=1).numpy()
    if "details" in logits:
        probs[:, MOST_CLASSES:] = torch.sigmoid(logits["details"].double()).numpy()[:, : len(DETAILS)]
    return probs


def pseudo_label(
    teachers: Mapping[int, Path],
    stores: Sequence[Store],
    splits: Sequence[str] | None = None,
    device: str = "cpu",
) -> pd.DataFrame:
    """Apply every Teacher to every image of the stores, for want of experts' grades (paper, Section 2.1).

    The Teachers are model stems by seed: the Student of a seed learns from the Teacher of the same seed, so
    that the spread over seeds is that of the whole chain. By default all splits of a store are labelled.
    """
    frames = []
    for seed, stem in progress_bar(teachers.items(), desc="Teachers", unit="model"):
        teacher, description = load_model(stem)
        teacher.to(resolve_device(device))
        names = {"model": "teacher", "trained_on": description["trained_on"], "seed": seed}
        for store in stores:
            present = [name for name in ("train", "val", "test") if (store.manifest["split"] == name).any()]
            frames.append(predict(teacher, store, splits or present, **names))
    return pd.concat(frames, ignore_index=True)

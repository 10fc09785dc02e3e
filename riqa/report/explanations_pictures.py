"""The pictures of the paper's Figure 4: chosen images with the maps of two networks."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import torch

from riqa.data.store import Store
from riqa.evaluate.explain import grad_cam, grad_cam_of_classes
from riqa.labels import DETAILS, class_names
from riqa.learn.model import QualityNet
from riqa.phantom.degrade import DEFECTS
from riqa.report.explanations import take
from riqa.report.explanations_figures import Picture


def overall_pictures(
    chosen: pd.DataFrame,
    store: Store,
    networks: Mapping[str, QualityNet],
    min_side: int,
    planted: Mapping[str, str] | None = None,
) -> list[Picture]:
    """Picture flips of overall quality: each network's map is that of the class it predicts.

    Args:
        chosen: Rows of `riqa.report.explanations_flips.choose_flips`, question "overall".
        store: The set.
        networks: Two, by the name that stands above their maps; the second has a details head.
        min_side: See `riqa.evaluate.map_layer.find_map_layer`.
        planted: What stands below the details, by image_id.
    """
    images = _images(chosen, store)
    with torch.inference_mode():
        outputs = [network(images) for network in networks.values()]
    probs = [torch.softmax(output["overall"], dim=1).numpy() for output in outputs]
    names = class_names(probs[0].shape[1])
    maps = [
        grad_cam_of_classes(network, images, p.argmax(axis=1), min_side=min_side)
        for network, p in zip(networks.values(), probs, strict=True)
    ]
    details = torch.sigmoid(outputs[1]["details"]).numpy()
    texts = [
        [f"{label}: {names[row.argmax()]} {row.max():.2f}" for row in p]
        for label, p in zip(networks, probs, strict=True)
    ]
    truths = [f"truth: {names[truth]}" for truth in chosen["truth"]]
    return _assemble(chosen, images, truths, maps, texts, details, planted)


def detail_pictures(
    chosen: pd.DataFrame,
    store: Store,
    networks: Mapping[str, QualityNet],
    min_side: int,
    planted: Mapping[str, str] | None = None,
) -> list[Picture]:
    """Picture flips of a detail: both maps ask what speaks for the detail being bad. Arguments as above."""
    images = _images(chosen, store)
    targets = [DETAILS.index(question) for question in chosen["question"]]
    with torch.inference_mode():
        probs = [torch.sigmoid(network(images)["details"]).numpy() for network in networks.values()]
    maps = [
        np.concatenate(
            [
                grad_cam(network, images[k : k + 1], task="details", target=target, min_side=min_side)
                for k, target in enumerate(targets)
            ]
        )
        for network in networks.values()
    ]
    texts = [
        [
            f"{label}: {class_names(2)[int(row[k] >= 0.5)]} {row[k]:.2f}"
            for row, k in zip(p, targets, strict=True)
        ]
        for label, p in zip(networks, probs, strict=True)
    ]
    truths = [
        f"{question}: {class_names(2)[truth]}"
        for question, truth in zip(chosen["question"], chosen["truth"], strict=True)
    ]
    return _assemble(chosen, images, truths, maps, texts, probs[1], planted)


def planted_notes(truth: pd.DataFrame, image_ids: Iterable[str], least: float = 0.1) -> dict[str, str]:
    """Say what was planted in phantoms: their two strongest defects of at least this severity.

    Args:
        truth: A set's truth table.
        image_ids: Which of its images.
        least: Severity below which a defect is not worth a word.
    """
    notes = {}
    for image_id, row in truth.set_index("image_id").loc[list(image_ids), list(DEFECTS)].iterrows():
        strongest = row[row >= least].sort_values(ascending=False)[:2]
        words = [f"{name.replace('_', ' ')} {severity:.1f}" for name, severity in strongest.items()]
        notes[image_id] = "\n".join(words) or "nothing planted"
    return notes


def _images(chosen: pd.DataFrame, store: Store) -> torch.Tensor:
    row_of = {image_id: row for row, image_id in enumerate(store.manifest["image_id"])}
    return take(store, [row_of[image_id] for image_id in chosen["image_id"]]).images


def _assemble(chosen, images, truths, maps, texts, details, planted) -> list[Picture]:
    pixels = images.permute(0, 2, 3, 1).numpy()
    return [
        Picture(
            pixels[k],
            truths[k],
            ((maps[0][k], texts[0][k]), (maps[1][k], texts[1][k])),
            details[k],
            (planted or {}).get(image_id, ""),
        )
        for k, image_id in enumerate(chosen["image_id"])
    ]

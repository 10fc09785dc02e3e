"""A trained model as a script for pages of the book, which then ask it without a server (`book/_static`)."""

import base64
import json
from pathlib import Path

import numpy as np

from riqa.assess.advice import NO_RETAKE, REMEDIES
from riqa.assess.answers import PHANTOM_MODEL, UNLIKE
from riqa.labels import DETAILS, class_names
from riqa.learn import colours
from riqa.learn.confidence import read_confidence
from riqa.learn.model import load_model, model_file
from riqa.learn.novelty import VIEWS, load_novelty
from riqa.learn.standing import read_standing

COMPUTED = ("resnet10", "narrow_resnet10", "wide_resnet10_2")
"""Backbones that `book/_static/network.js` computes."""


def in_page(stem: Path, **further: object) -> str:
    """Return the script that hands a model to `riqa.openStudent`, as `riqa.told`.

    Weights are the bytes of the model's own file. Of what makes a photograph new it holds in addition the
    heights of the mixture's Gaussians and the limits, which follow from the file. Of a network that pages
    cannot compute it says so (`unable`).

    Args:
        stem: A model with both heads, as chapter 05 writes it. An InputError tells if it is not there.
        further: What else pages read, as JSON has it.
    """
    model, told = load_model(stem)
    if model.architecture["backbone"] not in COMPUTED:
        what = model.architecture["backbone"]
        told = f"The Student of this build is a network that pages cannot compute ({what})."
        return script("told", {"unable": f"{told} Ask it by: riqa assess"})
    novelty = load_novelty(stem)
    usual, rare = novelty.usual_and_rare()
    confidence = read_confidence(told, model_file(stem, "json"))
    student = {
        "name": stem.name,
        "side": model.architecture["image_size"],
        "classes": class_names(model.architecture["n_overall"]),
        "details": DETAILS,
        "normalisation": told["normalisation"],
        "temperature": confidence.temperature if confidence else 1.0,
        "standing": read_standing(told, model_file(stem, "json")),
        "warning": PHANTOM_MODEL if told["drawn"] else None,
        "remedies": REMEDIES,
        "retake": NO_RETAKE,
        "unlike": UNLIKE,
        "views": VIEWS,
        "usual": usual.tolist(),
        "rare": rare.tolist(),
        "limit": novelty.threshold(),
        "heights": (np.log(novelty.bands.weights) + np.linalg.slogdet(novelty.bands.roots)[1]).tolist(),
        "colours": colours.CONSTANTS,
    }
    for name, file in {"weights": "safetensors", "novelty": "novelty.safetensors"}.items():
        student[name] = base64.b64encode(model_file(stem, file).read_bytes()).decode("ascii")
    return script("told", student | further)


def script(name: str, value: object) -> str:
    """Return a script that gives pages a value, as JSON has it, as `riqa.<name>`."""
    return f'"use strict";\nglobalThis.riqa ??= {{}};\nriqa.{name} = {json.dumps(value)};\n'

"""Answers as one HTML file that needs nothing else: pictures inside, no script, no request."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import cv2
import numpy as np
import torch
from jinja2 import Environment, PackageLoader, StrictUndefined

from riqa.assess.advice import BAD_BELOW
from riqa.assess.answers import Answer
from riqa.data.fov import NoFieldError, read_and_crop
from riqa.data.read import UnreadableError, read_photograph
from riqa.errors import InputError
from riqa.evaluate.explain import grad_cam
from riqa.files import write_whole
from riqa.labels import DETAILS
from riqa.learn.model import QualityNet
from riqa.names import shown

SIDE = 320
"""Side of the pictures, pixels: twice what a phone's half width needs."""


@dataclass(frozen=True)
class Card:
    """One photograph on the page; pictures are data URIs."""

    answer: Answer  # without its crop
    framing: str = ""  # what the picture shows of the photograph
    photograph: str | None = None  # None beyond the limit, or if the file has vanished
    heat: str | None = None  # the picture under its heat map; None also when the model abstains or has no map
    claim: str | None = None  # what the heat map shows, or why there is none
    note: str | None = None  # for the top of the page: why this model can make no heat map


def card(model: QualityNet, answer: Answer, *, picture: bool) -> Card:
    """Make a photograph's card; `picture`: with the photograph, and the heat map of what `model` saw in it.

    The map is Grad-CAM's, of the strongest claim against the photograph (paper, Figure 1).
    """
    bare = replace(answer, crop=None)
    image = crop_for_page(answer) if picture else None
    if image is None:
        return Card(bare)
    framing = "all of the photograph" if answer.crop is None else "cropped to the field of view"
    plain = Card(bare, framing, data_uri(image))
    if answer.reason:
        return plain
    p, task, target, claim = speaks_against(answer)
    seen = torch.from_numpy(answer.crop).permute(2, 0, 1)[None].float() / 255
    try:
        heat = grad_cam(model, seen, task=task, target=target)[0]
    except InputError as error:
        return replace(plain, note=f"no heat maps: {error}")
    claim = f"{claim} ({p:.2f})"
    if not heat.any():
        return replace(plain, claim=f"no place speaks for: {claim}")
    return replace(plain, heat=data_uri(overlay(image, heat)), claim=claim)


def speaks_against(answer: Answer) -> tuple[float, str, int, str]:
    """Find the most probable claim against a photograph: a bad detail, or the lowest overall class.

    Returns its probability; task and target for `riqa.evaluate.explain.grad_cam`; the claim in words.
    """
    claims = []
    for detail, p_good in answer.details.items():
        claims.append((1 - p_good, "details", DETAILS.index(detail), f"{detail} is bad"))
    if answer.overall:
        lowest, p = next(iter(answer.overall.items()))
        claims.append((p, "overall", 0, f"overall quality is {lowest}"))
    return max(claims)


def crop_for_page(answer: Answer) -> np.ndarray | None:
    """Read a photograph again, larger than the model sees it: uint8 RGB, at most `SIDE` pixels per side.

    Cropped as for the model, or all of it where no field of view is found; None if it can no longer be read.
    """
    try:
        if answer.crop is not None:
            return read_and_crop(answer.path, SIDE)[0]
        whole = read_photograph(answer.path, SIDE)
    except NoFieldError:
        # At another scale the field may be missed; what the model has seen is at hand.
        return cv2.resize(answer.crop, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    except UnreadableError:
        return None
    scale = SIDE / max(whole.shape[:2])
    columns, rows = (max(1, round(length * scale)) for length in whole.shape[1::-1])
    return cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay a heat map, (h, w) in [0, 1], over a picture of the same field, uint8 (H, W, 3) RGB as the result.

    Where the map is 0, and outside of the field, the picture stays as it is.
    """
    fine = cv2.resize(heat, image.shape[1::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)
    colours = cv2.applyColorMap((255 * fine).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    opaque = 0.55 * np.sqrt(fine)[..., None]
    inside = image.any(axis=2, keepdims=True)
    return np.where(inside, (1 - opaque) * image + opaque * colours, image).round().astype(np.uint8)


def data_uri(image: np.ndarray) -> str:
    """Encode uint8 (H, W, 3) RGB as a JPEG inside an address, so that a page needs no other file."""
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def write_page(file: Path, cards: Sequence[Card], notes: Sequence[str] = (), **facts: object) -> None:
    """Write the page, aside and then renamed; raise `InputError` if the file cannot be written.

    `notes` are what readers must know before the answers, besides what the cards note; `facts` are
    `model_name`; `summary`, one line with the counts; `unreadable`, the files that could not be read; and
    `most_pictures`, most cards with pictures, which is stated where there are more cards.
    """
    looks = {"autoescape": True, "undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    looks["finalize"] = lambda value: shown(value) if isinstance(value, str | PurePath) else value
    notes = [*dict.fromkeys([*notes, *(card.note for card in cards if card.note)])]
    facts |= {"cards": cards, "notes": notes, "bad_below": BAD_BELOW}
    template = Environment(loader=PackageLoader("riqa.assess"), **looks).get_template("page.html")
    try:
        write_whole(file, template.render(facts))
    except OSError as error:
        why = f"{file} cannot be written ({error.strerror}); give another file to --html"
        raise InputError(why) from None

"""Pictures for a page: a photograph cropped to its field, and the heat map of the claim against it."""

import base64

import cv2
import numpy as np
import torch

from riqa.assess.answers import Answer, speaks_against
from riqa.data.fov import NoFieldError, read_and_crop
from riqa.data.read import UnreadableError, read_photograph
from riqa.evaluate.explain import grad_cam
from riqa.learn.model import QualityNet

SIDE = 320
"""Side of the pictures, pixels: twice what a phone's half width needs."""

_JPEG_QUALITY = 82
_OPAQUE = 0.55  # of the heat map where it is largest


def crop_for_page(answer: Answer) -> np.ndarray | None:
    """Read a photograph again, larger than the model sees it.

    Returns:
        uint8 RGB, at most `SIDE` pixels per side: cropped as for the model, or all of it where no field of
        view is found; None if the file can no longer be read.
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


def heat_map(model: QualityNet, answer: Answer) -> tuple[np.ndarray, str, float]:
    """Compute the Grad-CAM map of the strongest claim against a photograph (paper, Figure 1).

    Args:
        model: The network that gave the answer.
        answer: No abstention.

    Returns:
        float32 (size, size) in [0, 1], the claim that the map is of, and the claim's probability.

    Raises:
        InputError: If the backbone has no map to look at.
    """
    task, target, claim, p = speaks_against(answer)
    images = torch.from_numpy(answer.crop).permute(2, 0, 1)[None].float() / 255
    return grad_cam(model, images, task=task, target=target)[0], claim, p


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay a heat map over a picture of the same field.

    Args:
        image: uint8 (H, W, 3) RGB.
        heat: float (h, w) in [0, 1]; where it is 0, the picture stays as it is.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    fine = cv2.resize(heat, image.shape[1::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)
    colours = cv2.cvtColor(
        cv2.applyColorMap((255 * fine).astype(np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB
    )
    opaque = _OPAQUE * np.sqrt(fine)[..., None]
    inside = image.any(axis=2, keepdims=True)  # outside of the field there is nothing to explain
    return np.where(inside, (1 - opaque) * image + opaque * colours, image).round().astype(np.uint8)


def data_uri(image: np.ndarray) -> str:
    """Encode uint8 (H, W, 3) RGB as a JPEG inside an address, so that a page needs no other file."""
    written, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not written:
        raise ValueError(f"cannot encode {image.dtype} {image.shape} as JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")

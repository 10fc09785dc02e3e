"""What a model was made from, as a digest: a model that was made from the same need not be trained again."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from riqa.files import read_json
from riqa.learn.examples import Examples


def digest_of(told: object, model: nn.Module, training: Examples, validation: Examples) -> str:
    """Return a digest of what JSON can say of a training, of the weights it begins with, and of examples.

    Of the examples it is rows, targets and auxiliary numbers; which images they are, `told` must say.
    """
    digest, tensors = hashlib.sha256(json.dumps(told, sort_keys=True).encode()), dict(model.state_dict())
    for part, examples in (("training", training), ("validation", validation)):
        tensors |= {f"{part} {name}": values for name, values in examples.targets.items()}
        tensors |= {f"{part} rows": torch.from_numpy(examples.rows)}
        if examples.auxiliary is not None:
            tensors |= {f"{part} auxiliary": examples.auxiliary}
    for name, values in tensors.items():
        digest.update(f"{name} {tuple(values.shape)}".encode())
        digest.update(values.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def find_twin(folders: Iterable[Path], made_from: str) -> Path | None:
    """Find the stem of a model whose description says that it was made from the same; None if none does."""
    for folder in folders:
        for file in sorted(Path(folder).glob("*.json")):
            if (read_json(file) or {}).get("made_from") == made_from:
                return file.with_suffix("")
    return None

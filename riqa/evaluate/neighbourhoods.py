"""Do images of one label lie together? Neighbourhood purity and silhouette, their chance level and spread.

Two photographs of one patient are alike for reasons that are not their quality, so a photograph is never
compared with its own patient here.

The spread over patients comes from leaving out one patient at a time, as the one compared and as a neighbour.
Drawing patients with replacement would not do: copies crowd around their original, and for estimates from
nearest neighbours the bootstrap fails in general (Abadie and Imbens 2008, doi:10.3982/ECTA6474), while the
jackknife's variance errs, on average, on the large side (Efron and Stein 1981, doi:10.1214/aos/1176345462).
"""

from dataclasses import dataclass

import numpy as np

MEASURES = ("purity", "silhouette")


@dataclass(frozen=True)
class Together:
    """How much images of one label lie together in one space.

    Attributes:
        value: Of all images.
        by_patient: (P,) what each patient contributes (jackknife pseudo-values, centred); their mean is
            `value`, and means over drawn patients vary as `value` does.
        permuted: (B,) the same measure after labels were shuffled between patients.
    """

    value: float
    by_patient: np.ndarray
    permuted: np.ndarray


def together(
    distances: np.ndarray, labels: np.ndarray, groups: np.ndarray, *, k: int, permutations: np.ndarray
) -> dict[str, Together]:
    """Measure purity and silhouette of a labelling.

    Args:
        distances: (N, N) between images, zero on the diagonal.
        labels: (N,) codes of any kind, none missing.
        groups: (N,) patient of each image.
        k: Neighbours looked at.
        permutations: (B, N) of `patient_permutations`.

    Returns:
        One `Together` per name of `MEASURES`: ``purity`` is the mean share of the k nearest images of other
        patients with the image's own label, in [0, 1]; ``silhouette`` the mean of (b - a) / max(a, b), in
        [-1, 1], where a is the mean distance to images of the own label and b to those of the nearest other
        label; 0 for an image without company (Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7).

    Raises:
        ValueError: If fewer than two labels have images of two patients, or images are too few for k.
    """
    _, patients = np.unique(np.asarray(groups), return_inverse=True)
    _, codes = np.unique(np.asarray(labels), return_inverse=True)
    if not measurable(codes, patients):
        raise ValueError("need two labels with images of at least two patients each")
    shuffled = codes[permutations]
    order = neighbour_order(distances, patients, k)
    apart = patients[:, None] != patients
    far = np.where(apart, distances, 0.0)
    found = {
        "purity": (
            purity(order[:, :k], codes),
            _purity_without_each(order, codes, patients, k),
            purity(order[:, :k], shuffled),
        ),
        "silhouette": (
            silhouettes(far, apart, codes[None]).mean(),
            _silhouette_without_each(far, apart, codes, patients),
            silhouettes(far, apart, shuffled).mean(axis=0),
        ),
    }
    return {
        name: Together(float(value), value + (len(without) - 1) * (without.mean() - without), permuted)
        for name, (value, without, permuted) in found.items()
    }


def measurable(labels: np.ndarray, groups: np.ndarray) -> bool:
    """Return whether two labels or more have images of two patients or more, so that one can be left out."""
    labels, groups = np.asarray(labels), np.asarray(groups)
    return sum(len(set(groups[labels == label])) >= 2 for label in set(labels.tolist())) >= 2


def neighbour_order(distances: np.ndarray, groups: np.ndarray, k: int) -> np.ndarray:
    """List each image's nearest images of other patients.

    Args:
        distances: (N, N).
        groups: (N,) patient of each image.
        k: Neighbours needed.

    Returns:
        int (N, k + m), nearest first; m is the most images that a patient has, so that k are left when any
        one patient is left out.

    Raises:
        ValueError: If k is below 1 or there are not so many images of other patients.
    """
    groups = np.asarray(groups)
    most = np.unique(groups, return_counts=True)[1].max()
    if not 1 <= k <= len(groups) - 2 * most:
        raise ValueError(
            f"k is {k}, must be from 1 to {len(groups) - 2 * most} for {len(groups)} images, "
            f"of which one patient has {most}"
        )
    apart = np.where(groups[:, None] == groups, np.inf, distances)
    return np.argsort(apart, axis=1, kind="stable")[:, : k + most]


def purity(neighbours: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean share of neighbours (N, k) with the image's own label; labels (..., N) -> (...,)."""
    return (labels[..., neighbours] == labels[..., None]).mean(axis=(-2, -1))


def patient_permutations(groups: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
    """Shuffle the labels of whole patients among patients with as many images.

    Labels of one patient's images may be alike; shuffled together, they stay so, and the chance level is
    fair. A patient with a number of images that no other has keeps their labels.

    Args:
        groups: (N,) patient of each image.
        n: B, how many permutations.
        seed: Seed of the draws.

    Returns:
        int (B, N): ``labels[permutations[b]]`` are the shuffled labels.
    """
    rng = np.random.default_rng(seed)
    _, patients, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    order = np.argsort(patients, kind="stable")
    permutations = np.tile(np.arange(len(patients)), (n, 1))
    for size in np.unique(sizes):
        rows = order[np.isin(patients[order], np.flatnonzero(sizes == size))].reshape(-1, size)
        for permutation in permutations:
            permutation[rows] = rows[rng.permutation(len(rows))]
    return permutations


def _purity_without_each(order: np.ndarray, labels: np.ndarray, groups: np.ndarray, k: int) -> np.ndarray:
    same, asked = labels[order] == labels[:, None], groups[order]
    values = []
    for patient in range(groups.max() + 1):
        left = asked != patient
        nearest = left & (left.cumsum(axis=1) <= k)
        values.append((same & nearest)[groups != patient].sum(axis=1).mean() / k)
    return np.array(values)


def silhouettes(far: np.ndarray, apart: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Compute each image's silhouette for many labellings at once.

    Args:
        far: (N, N) distances, 0 where `apart` is False.
        apart: bool (N, N), which images count as company of each other.
        labels: (B, N) codes 0, 1, ...

    Returns:
        (N, B), 0 where an image has no company of its own label or of another.
    """
    one_hot = labels.T[..., None] == np.arange(labels.max() + 1)  # (N, B, K)
    flat = one_hot.reshape(len(far), -1).astype(float)
    return _from_sums((far @ flat).reshape(one_hot.shape), (apart @ flat).reshape(one_hot.shape), one_hot)


def _from_sums(sums: np.ndarray, counts: np.ndarray, one_hot: np.ndarray) -> np.ndarray:
    """Turn sums of distances to each label (..., K), over `counts` images, into silhouettes (...)."""
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    own = np.where(one_hot, means, 0.0).sum(axis=-1)
    other = np.where(one_hot, np.inf, means).min(axis=-1)
    largest = np.maximum(own, other)
    known = np.isfinite(largest) & (largest > 0)
    gap = np.subtract(other, own, out=np.zeros_like(own), where=known)
    return np.divide(gap, largest, out=gap, where=known)


def _silhouette_without_each(
    far: np.ndarray, apart: np.ndarray, labels: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    one_hot = labels[:, None] == np.arange(labels.max() + 1)
    sums, counts, values = far @ one_hot, apart.astype(float) @ one_hot, []
    for patient in range(groups.max() + 1):
        out = groups == patient
        less, fewer = far[:, out] @ one_hot[out], apart[:, out].astype(float) @ one_hot[out]
        values.append(_from_sums(sums - less, counts - fewer, one_hot)[~out].mean())
    return np.array(values)

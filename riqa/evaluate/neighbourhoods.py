"""Do images of one label lie together, and how much of a space does a map on a plane keep?

Two photographs of one patient are alike for reasons that are not their quality, so purity and silhouette
never compare a photograph with its own patient.

Their spread over patients comes from leaving out one patient at a time, as the one compared and as a
neighbour. Drawing patients with replacement would not do: copies crowd around their original, and for
estimates from nearest neighbours the bootstrap fails in general (Abadie and Imbens 2008,
doi:10.3982/ECTA6474), while the jackknife's variance errs, on average, on the large side (Efron and Stein
1981, doi:10.1214/aos/1176345462).
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import pairwise_distances

MEASURES = ("purity", "silhouette")


@dataclass(frozen=True)
class Together:
    """How much images of one label lie together in one space."""

    value: float  # of all images
    by_patient: np.ndarray  # (P,) centred jackknife pseudo-values: mean `value`, drawn means vary as it does
    permuted: np.ndarray  # (B,) the same measure after labels were shuffled between patients


def together(
    distances: np.ndarray, labels: np.ndarray, groups: np.ndarray, *, k: int, permutations: np.ndarray
) -> dict[str, Together]:
    """Measure purity and silhouette of labels (N,), of any kind, none missing, of patients `groups` (N,).

    `distances` (N, N) are zero on the diagonal, `permutations` (B, N) those of `patient_permutations`.

    Returns:
        For each of `MEASURES`: ``purity`` is the mean share of the k nearest images of other patients with
        the image's own label, in [0, 1]; ``silhouette`` the mean of (b - a) / max(a, b), in [-1, 1], where a
        is the mean distance to images of the own label and b to those of the nearest other label; 0 for an
        image without company (Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7). A ValueError tells of labels
        that are not `measurable`, or images too few for k.
    """
    _, patients = np.unique(np.asarray(groups), return_inverse=True)
    _, codes = np.unique(np.asarray(labels), return_inverse=True)
    if not measurable(codes, patients):
        raise ValueError("need two labels with images of at least two patients each")
    shuffled = codes[permutations]
    order = neighbour_order(distances, patients, k)
    near, apart = order[:, :k], patients[:, None] != patients
    far = np.where(apart, distances, 0.0)
    pure = purity(near, codes), _purity_without_each(order, codes, patients, k), purity(near, shuffled)
    found = {
        "purity": pure,
        "silhouette": (
            _silhouettes(far, apart, codes[None]).mean(),
            _silhouette_without_each(far, apart, codes, patients),
            _silhouettes(far, apart, shuffled).mean(axis=0),
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
    """List each image's nearest images of other patients, from distances (N, N) and patients (N,).

    int (N, k + m), nearest first; m is the most images that a patient has, so that k are left without any
    one patient. A ValueError tells of a k below 1, or above what that leaves.
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
    """Shuffle whole patients (N,) n times, int (n, N): ``labels[permutations[b]]`` are shuffled labels.

    Patients change places with those of as many images. Labels of one patient's images may be alike; shuffled
    together, they stay so, and the chance level is fair. A patient alone with a number of images stays.
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
    """Return the purity (P,) without each patient."""
    same, asked = labels[order] == labels[:, None], groups[order]
    values = []
    for patient in range(groups.max() + 1):
        left = asked != patient
        nearest = left & (left.cumsum(axis=1) <= k)
        values.append((same & nearest)[groups != patient].sum(axis=1).mean() / k)
    return np.array(values)


def _silhouettes(far: np.ndarray, apart: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Compute each image's silhouette for many labellings (B, N) -> (N, B); `far` is 0 where not `apart`."""
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
    """Return the mean silhouette (P,) without each patient."""
    one_hot = labels[:, None] == np.arange(labels.max() + 1)
    sums, counts, values = far @ one_hot, apart.astype(float) @ one_hot, []
    for patient in range(groups.max() + 1):
        out = groups == patient
        less, fewer = far[:, out] @ one_hot[out], apart[:, out].astype(float) @ one_hot[out]
        values.append(_from_sums(sums - less, counts - fewer, one_hot)[~out].mean())
    return np.array(values)


def fitting_perplexity(perplexity: float, n: int) -> float:
    """Lower a perplexity where there are too few images: t-SNE looks at three times as many neighbours."""
    return float(min(perplexity, (n - 1) / 3))


def tsne_map(
    features: np.ndarray, perplexity: float, *, seed: int = 0, init: str = "pca", metric: str = "euclidean"
) -> np.ndarray:
    """Lay out features (N, D) on a plane, float64 (N, 2), by t-SNE (van der Maaten, Hinton 2008; Figure 7).

    The perplexity, about how many neighbours each image heeds, is lowered by `fitting_perplexity`. The start
    `init` is ``pca``, the two widest directions, or ``random``, by `seed`; `metric` is a name of
    scikit-learn's.
    """
    fitting = fitting_perplexity(perplexity, len(features))
    tsne = TSNE(perplexity=fitting, init=init, metric=metric, random_state=seed)
    return tsne.fit_transform(features).astype(float)


def pca_map(features: np.ndarray) -> np.ndarray:
    """Project features (N, D) on the two directions in which they vary most; float64 (N, 2)."""
    return PCA(n_components=2, svd_solver="full").fit_transform(np.asarray(features, dtype=float))


def neighbours_kept(here: np.ndarray, there: np.ndarray, k: int) -> float:
    """Return the mean share of an image's k nearest images in one space that are also so in another.

    Both are distances (N, N) between the same images; by chance the share is k / (N - 1).
    """
    alone = np.arange(len(here))
    near = (neighbour_order(distances, alone, k)[:, :k] for distances in (here, there))
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(*near, strict=True)]))


def map_quality(
    features: np.ndarray, positions: np.ndarray, k: int, metric: str = "euclidean"
) -> dict[str, float]:
    """Measure how much of a space of features (N, D) a map, positions (N, 2), shows of k < N / 2 neighbours.

    Returns:
        ``trustworthiness``: 1 if all neighbours on the map are neighbours in the space, less the farther off
        they are there (Venna and Kaski 2001; scikit-learn); ``neighbours_kept``: `neighbours_kept`, 0 to 1;
        ``distance_ranks``: Spearman's rank correlation of all pairs' distances in the space (by `metric`) and
        on the map (Euclidean); ``crowding_ranks``: that of the distances to the k-th neighbour.
    """
    space, plane = pairwise_distances(features, metric=metric), pairwise_distances(positions)
    pairs = space[np.triu_indices(len(space), 1)], pdist(positions)
    radii = [np.sort(distances, axis=1)[:, k] for distances in (space, plane)]
    return {
        "trustworthiness": float(trustworthiness(features, positions, n_neighbors=k, metric=metric)),
        "neighbours_kept": neighbours_kept(space, plane, k),
        "distance_ranks": float(spearmanr(*pairs).statistic),
        "crowding_ranks": float(spearmanr(*radii).statistic),
    }


def three_clouds(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw three clouds of 40 points, a known truth to compare maps with: positions (120, 2), cloud (120,).

    Cloud 0 is ten times as wide as 1; and 2 is five times as far from 0 as 1 is.
    """
    cloud = np.repeat([0, 1, 2], 40)
    centres, spread = np.array([[0.0, 0.0], [12.0, 0.0], [60.0, 0.0]]), np.array([3.0, 0.3, 1.0])
    noise = np.random.default_rng(seed).normal(size=(len(cloud), 2))
    return centres[cloud] + spread[cloud, None] * noise, cloud


def cloud_ratios(positions: np.ndarray, cloud: np.ndarray) -> tuple[float, float]:
    """Return the two ratios that `three_clouds` has planted, as positions (N, 2) show them.

    The width of cloud 0 over that of 1 (root mean square distances to their centres), and the distance of
    centres 0 and 2 over that of 0 and 1.
    """
    centres = [positions[cloud == code].mean(axis=0) for code in range(3)]
    widths = [np.sqrt(((positions[cloud == code] - centres[code]) ** 2).mean()) for code in range(2)]
    far = np.linalg.norm(centres[2] - centres[0]) / np.linalg.norm(centres[1] - centres[0])
    return float(widths[0] / widths[1]), float(far)

"""Maps of many dimensions on a plane: t-SNE, PCA as its control, and how much of the space a map keeps."""

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import pairwise_distances


def fitting_perplexity(perplexity: float, n: int) -> float:
    """Lower a perplexity where there are too few images: t-SNE looks at three times as many neighbours."""
    return float(min(perplexity, (n - 1) / 3))


def tsne_map(
    features: np.ndarray, perplexity: float, *, seed: int = 0, init: str = "pca", metric: str = "euclidean"
) -> np.ndarray:
    """Lay out features on a plane by t-SNE (van der Maaten and Hinton 2008; paper, Figure 7).

    Args:
        features: (N, D).
        perplexity: About how many neighbours each image heeds; lowered by `fitting_perplexity`.
        seed: Seed of the start with ``init="random"``.
        init: ``pca`` starts from the two widest directions, ``random`` from noise.
        metric: Distance between features, a name of scikit-learn's.

    Returns:
        float64 (N, 2).
    """
    tsne = TSNE(
        perplexity=fitting_perplexity(perplexity, len(features)), init=init, metric=metric, random_state=seed
    )
    return tsne.fit_transform(features).astype(float)


def pca_map(features: np.ndarray) -> np.ndarray:
    """Project features (N, D) on the two directions in which they vary most; float64 (N, 2)."""
    return PCA(n_components=2, svd_solver="full").fit_transform(np.asarray(features, dtype=float))


def neighbours_kept(here: np.ndarray, there: np.ndarray, k: int) -> float:
    """Return the mean share of an image's k nearest images in one space that are also so in another.

    Args:
        here: (N, N) distances.
        there: (N, N) distances between the same images.
        k: Neighbours; by chance the share is k / (N - 1).
    """
    near = []
    for distances in (here, there):
        ranks = np.where(np.eye(len(distances), dtype=bool), np.inf, distances)
        near.append(np.argsort(ranks, axis=1, kind="stable")[:, :k])
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(*near, strict=True)]))


def map_quality(
    features: np.ndarray, positions: np.ndarray, k: int, metric: str = "euclidean"
) -> dict[str, float]:
    """Measure how much of a space a map shows.

    Args:
        features: (N, D).
        positions: (N, 2), the map.
        k: Neighbours, below N / 2.
        metric: Distance between features; on the map it is always Euclidean.

    Returns:
        ``trustworthiness``: 1 if all neighbours on the map are neighbours in the space, less the farther off
        they are there (Venna and Kaski 2001; scikit-learn); ``neighbours_kept``: `neighbours_kept`, 0 to 1;
        ``distance_ranks``: Spearman's rank correlation of all pairs' distances in the space and on the map;
        ``crowding_ranks``: that of the distances to the k-th neighbour: do crowded places look crowded?
    """
    space, plane = pairwise_distances(features, metric=metric), pairwise_distances(positions)
    return {
        "trustworthiness": float(trustworthiness(features, positions, n_neighbors=k, metric=metric)),
        "neighbours_kept": neighbours_kept(space, plane, k),
        "distance_ranks": float(spearmanr(space[np.triu_indices(len(space), 1)], pdist(positions)).statistic),
        "crowding_ranks": float(
            spearmanr(np.sort(space, axis=1)[:, k], np.sort(plane, axis=1)[:, k]).statistic
        ),
    }


def three_clouds(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw three clouds of 40 points on a plane, a known truth to compare maps with.

    Returns:
        Positions (120, 2) and cloud (120,) 0, 1, 2. The first cloud is ten times as wide as the second; the
        third is five times as far from the first as the second is.
    """
    cloud = np.repeat([0, 1, 2], 40)
    centres, spread = np.array([[0.0, 0.0], [12.0, 0.0], [60.0, 0.0]]), np.array([3.0, 0.3, 1.0])
    noise = np.random.default_rng(seed).normal(size=(len(cloud), 2))
    return centres[cloud] + spread[cloud, None] * noise, cloud


def cloud_ratios(positions: np.ndarray, cloud: np.ndarray) -> tuple[float, float]:
    """Compare widths of two clouds and distances of three: the ratios that `three_clouds` has planted.

    Args:
        positions: (N, 2).
        cloud: (N,) 0, 1, 2.

    Returns:
        Width of 0 over that of 1 (root mean square distances to their centres), and the distance of centres
        0 and 2 over that of 0 and 1.
    """
    centres = [positions[cloud == code].mean(axis=0) for code in range(3)]
    widths = [np.sqrt(((positions[cloud == code] - centres[code]) ** 2).mean()) for code in range(2)]
    far = np.linalg.norm(centres[2] - centres[0]) / np.linalg.norm(centres[1] - centres[0])
    return float(widths[0] / widths[1]), float(far)

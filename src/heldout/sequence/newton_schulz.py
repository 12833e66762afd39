"""The nearest matrix with orthogonal rows or columns, roughly, by products alone."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["orthogonalise"]

# Chosen by their author so that five rounds lift singular values from 0.005 on into about 0.7 .. 1.2, not to 1 exactly.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5


def orthogonalise(matrices: Tensor) -> Tensor:
    """Bring all singular values near 1 and keep the singular vectors, for each matrix of a batch.

    Parameters
    ----------
    matrices : Tensor, shape (N, m, n)

    Returns
    -------
    Tensor, shape (N, m, n)
        Approximate: singular values end within about 0.3 of 1, those that were almost 0 below that. A matrix of zeros
        stays one.

    Notes
    -----
    X <- a X + (b X X^T + c (X X^T)^2) X, five times from X = G / |G|_F: each round maps a singular value s to
    a s + b s^3 + c s^5. Cost is 2 min(m, n)^2 (max(m, n) + min(m, n) / 2) multiplications a round.

    References
    ----------
    Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks. Kovarik (1970), on the iteration.

    Examples
    --------
    >>> turned = orthogonalise(torch.tensor([[[0.0, 9.0], [4.0, 0.0]]]))
    >>> [round(value, 1) for value in turned.flatten().tolist()]
    [0.0, 0.7, 1.1, 0.0]
    """
    a, b, c = _COEFFICIENTS
    is_tall = matrices.shape[-2] > matrices.shape[-1]
    X = matrices.mT if is_tall else matrices  # the square of the shorter side is the cheaper one
    X = X / X.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-7)
    for _ in range(_ROUNDS):
        gram = X @ X.mT
        X = torch.baddbmm(X, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), X, beta=a)
    return X.mT if is_tall else X

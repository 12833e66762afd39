"""Figures that others published for the same tasks, with their source; none was measured here."""

from __future__ import annotations

import numpy as np

TASKS = ("M1 yearly", "M1 quarterly", "M1 monthly", "tourism quarterly", "tourism monthly")

# MASE and WQL of each task: github autogluon/fev, benchmarks/chronos_zeroshot/results/NAME.csv, read in November 2026.
FEV = {
    "seasonal naive": ((4.8943, 2.0775, 1.3145, 1.6990, 1.6309), (0.20930, 0.14950, 0.19146, 0.11938, 0.10418)),
    "AutoETS": ((3.9572, 1.6609, 1.0890, 1.5989, 1.5310), (0.13928, 0.08473, 0.16529, 0.07064, 0.10019)),
    "AutoARIMA": ((3.4858, 1.6885, 1.1137, 1.5969, 1.4829), (0.13282, 0.08829, 0.15444, 0.09966, 0.09093)),
    "AutoTheta": ((3.6589, 1.6671, 1.0917, 1.6481, 1.6655), (0.13730, 0.08203, 0.15903, 0.06124, 0.09100)),
    "Chronos-Bolt base": ((4.4044, 1.7733, 1.0999, 1.7560, 1.5282), (0.15051, 0.10075, 0.13924, 0.06453, 0.09031)),
    "TimesFM 2.0": ((3.5960, 1.7111, 1.0519, 1.7985, 1.6224), (0.14476, 0.11285, 0.12990, 0.06999, 0.08501)),
    "TiRex": ((3.7032, 1.6740, 1.0604, 1.6060, 1.4488), (0.13116, 0.09959, 0.13233, 0.05921, 0.07493)),
    "TimeCopilot": ((4.0281, 1.6959, 1.0536, 1.6223, 1.4292), (0.14005, 0.09912, 0.13328, 0.05978, 0.07910)),
}
FEV_SOURCE = "autogluon/fev, chronos_zeroshot"

LTSF = "LTSF-Linear and PatchTST papers, test batches dropped; iTransformer from memory"
M4 = "M4 competition, Evaluation and Ranks.xlsx"

PUBLISHED: dict[tuple[str, str], tuple[str, dict[str, float]]] = {
    ("ETTh1-96, 8640 hours", "mse"): (
        LTSF,
        {"PatchTST/64": 0.370, "PatchTST/42": 0.375, "DLinear": 0.375, "NLinear": 0.374, "FEDformer": 0.376,
         "iTransformer": 0.386, "Autoformer": 0.449, "Informer": 0.865, "last value": 1.295},
    ),
    ("exchange-96", "mse"): (
        LTSF,
        {"last value": 0.081, "DLinear": 0.081, "NLinear": 0.089, "iTransformer": 0.086, "FEDformer": 0.148,
         "Autoformer": 0.197, "Informer": 0.847},
    ),
    ("competition M4 hourly", "owa"): (
        M4,
        {"best of all": 0.410, "ES-RNN": 0.440, "FFORMA": 0.484, "seasonal naive": 0.627, "MLP": 0.921, "Theta": 1.006},
    ),
}  # fmt: skip


def relative_to_naive() -> dict[tuple[str, str], tuple[str, dict[str, float]]]:
    """Return geometric means over the five tasks of MASE and WQL relative to seasonal naive."""
    found = {}
    for place, score in enumerate(("mase", "wql")):
        naive = np.log(FEV["seasonal naive"][place])
        others = {name: float(np.exp(np.mean(np.log(both[place]) - naive))) for name, both in FEV.items()}
        found["competitions", score] = (FEV_SOURCE, others)
    return found

"""What is promised of replicas: the value to measure, what it must reach to be shipped, and the goal."""

from __future__ import annotations

from claims import Claim

CLAIMS = (
    Claim("10 bagged 2,000 x 20, BaggingRegressor", "bag 2,000 x 20", "ratio", 8, 15),
    Claim("10 bagged 100,000 x 28, BaggingRegressor", "bag 100,000 x 28", "ratio", 3, 5),
    Claim("200 bootstraps 1,000 x 20, mlxtend", "bootstraps 1,000 x 20", "ratio", 15, 40),
    Claim("variance at equal error, K tables against one", "variance 1,000 x 20", "ratio", 50, 150),
    Claim("the same, one table in halves, mlxtend", "variance 1,000 x 20", "one_table", None, None),
    Claim("5 x 10 folds 10,000 x 20, 50 LightGBM fits", "folds 10,000 x 20", "ratio", 4, 7),
    Claim("10 replicas 2,000 x 20, 10 fits of ours", "replicas 2,000 x 20", "ratio", 1.7, 1.9),
    Claim("10 replicas 100,000 x 28, 10 fits of ours", "replicas 100,000 x 28", "ratio", 1.3, 1.5),
    Claim("4 replicas 1,000,000 x 28, 4 fits of ours", "replicas 1,000,000 x 28", "ratio", 1.05, 1.1),
    Claim("the same on shared bins, 2,000 x 20", "replicas 2,000 x 20", "bins_shared", None, None),
    Claim("the same on shared bins, 100,000 x 28", "replicas 100,000 x 28", "bins_shared", None, None),
    Claim("the same on shared bins, 1,000,000 x 28", "replicas 1,000,000 x 28", "bins_shared", None, None),
    Claim("peak memory above X, 50 replicas 100,000 x 28", "memory", "above", 120, 60, " MB", more_is_better=False),
    Claim("pickled, the same", "memory", "pickled", None, None, " MB", more_is_better=False),
)

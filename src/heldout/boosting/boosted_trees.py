"""How both boosting estimators are fitted, to one table or to many training sets, and judged out of bag."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from heldout._random import seed_of
from heldout._threads import n_threads
from heldout.boosting.asked_sets import asked_sets, checked_groups
from heldout.boosting.bags import evaluation_replicas
from heldout.boosting.features import native_floats, usable_features
from heldout.boosting.fitted_trees import FittedTrees
from heldout.boosting.fitting import Round, as_before_unless_done, fit_rounds
from heldout.boosting.importances import OutOfBagImportances, permuted_out_of_bag
from heldout.boosting.lessons import Lesson
from heldout.boosting.parameters import FitPlan, checked_plan
from heldout.boosting.replicated_fit import fit_replicated, forget_replicas, predictions_of_sets
from heldout.boosting.weights import counts_and_factors, row_weights
from heldout.errors import InvalidInput

__all__ = ["BoostedTrees", "Callback"]

Callback = Callable[[Round], Any]


class BoostedTrees(FittedTrees):
    """How both estimators are fitted. An implementation detail, not an interface."""

    _losses: tuple[str, ...] = ()

    def _usable_target(self, y: Any) -> Any:
        """Return a target before scikit-learn looks at it."""
        return y

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, NDArray[Any]]:
        """Return what scikit-learn's checks make of rows and target."""
        return validate_data(  # type: ignore[no-any-return]
            self,
            X,
            y,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
            y_numeric=self._losses == ("squared_error",),
            multi_output=False,
        )

    def _lesson(self, target: NDArray[Any]) -> Lesson:
        """Return what is learned from the target."""
        raise NotImplementedError

    def _judging(self, target: NDArray[Any]) -> Lesson:
        """Return what predictions of the fitted model are judged by."""
        raise NotImplementedError

    def _plan(self, callback: Callback | None) -> FitPlan:
        if not isinstance(self.loss, str) or self.loss not in self._losses:
            raise InvalidInput(f"loss must be one of {', '.join(self._losses)}, got {self.loss!r}: choose one")
        if callback is not None and not callable(callback):
            raise InvalidInput(
                f"callback must be None or callable, got {callback!r:.60}: pass a function that takes a Round"
            )
        return checked_plan(self)

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        callback: Callback | None = None,
    ) -> Self:
        """Fit the model; it stays as it was if that fails.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)
            float32 and float64 are read in place; NaN is missing, infinities are values.
        y : array of numbers, or of labels for a classifier, shape (n_rows,)
        sample_weight : array of numbers, shape (n_rows,), optional
            A whole number up to 255 equals that many copies of the row; other weights multiply its loss. Where replicas
            are drawn, up to 15: if a weight is above that, all of them multiply losses.
        X_val, y_val : arrays, optional
            Rows to judge each round by; no tree is fitted to them.
        groups : array, shape (n_rows,), optional
            Which rows belong together, for a `resampling` that draws groups.
        callback : callable, optional
            Called with a `Round` after each round; a true answer ends the fit.

        Returns
        -------
        self

        Raises
        ------
        InvalidInput
            Parameters out of range, columns or weights that are no numbers, targets that are no numbers or classes,
            sparse `X`, `early_stopping` without rows to judge by, a validation row of a class that `y` lacks, what
            `resampling` cannot draw, `warm_start` with replicas.

        Warns
        -----
        UserWarning
            Once, where rows are in the bag of each of several replicas: they have no prediction out of bag.
        """
        plan = self._plan(callback)
        X, y = usable_features(X), self._usable_target(y)
        with as_before_unless_done(self):
            checked, target = self._checked(X, y, reset=self._begins_anew())
            rows = native_floats(checked)
            weight = row_weights(sample_weight, rows.shape[0])
            labels = checked_groups(plan, groups, rows.shape[0])
            lesson = self._lesson(target)
            target_val = None if y_val is None else lesson.judged(y_val)
            if plan.draws:
                fit_replicated(self, plan, rows, lesson, weight, X_val, target_val, labels, callback)
            else:
                objective = lesson.objective(*counts_and_factors(weight, rows.shape[0]))
                fit_rounds(self, plan, rows, weight, objective, X_val, target_val, callback)
                forget_replicas(self)
        return self

    def fit_replicas(
        self,
        X: ArrayLike,
        y: ArrayLike,
        weights: ArrayLike,
        roles: ArrayLike | None = None,
        ensemble_of: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        seeds: Sequence[int] | None = None,
        groups: ArrayLike | None = None,
    ) -> NDArray[np.float64]:
        """Fit a model to each of many training sets of one table, in one call, and return what they predict for it.

        The predictions are those of a loop of fits, ``clone(self).fit(X[w > 0], y[w > 0], sample_weight=w[w > 0])`` for
        each column w, except that all sets are cut into the bins of the whole table (by `X` and `sample_weight` alone).
        So it suits splits of rows or groups that could come in any order; where the future must not shape a bin, fit in
        a loop. Each model draws its replicas, and stops, by its own training rows. Where `resampling` is an array, it
        has a line per row of `X`, and each model takes those of its rows. The estimator stays as it was.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)
        y : array, shape (n_rows,)
        weights : array of whole numbers from 0 to 255, shape (n_rows, n_sets)
            How often each row is in each training set; 0 leaves it out.
        roles : array of int, shape (n_rows, n_sets), optional
            Bits: `heldout.learner.PREDICTED`, the prediction of the row is wanted, which is a fitted value where the
            weight is above 0; `STOPS`, the row judges the rounds of a set that it is not in, with `early_stopping` True
            or a number. By default all rows left out are predicted.
        ensemble_of : array of int, shape (n_sets,), optional
            Sets with one number, from 0 on, are averaged (by score); by default each is by itself.
        sample_weight : array of numbers, shape (n_rows,), optional
            Whole numbers multiply `weights` (in sets where a product would pass 255, or 15 where the model draws
            replicas, they multiply losses instead); others multiply losses.
        seeds : sequence of int, optional
            The `random_state` of each model; by default that of the estimator for all.
        groups : array, shape (n_rows,), optional
            As in `fit`.

        Returns
        -------
        predictions : array of float64, shape (n_ensembles, n_rows) or (n_ensembles, n_rows, n_classes)
            Values, or probabilities of ``numpy.unique(y)``; NaN where no prediction was wanted. A class that a set
            lacks gets a small probability.

        Raises
        ------
        InvalidInput
            As `fit`; weights, roles, ensembles or seeds of another shape or out of range; a set without rows; rows that
            would both stop a model and be predicted by it.

        Examples
        --------
        >>> import numpy as np
        >>> from heldout import BoostingRegressor
        >>> X = np.repeat([[0.0], [1.0]], 50, axis=0)
        >>> folds = np.arange(100)[:, None] % 2 != [0, 1]
        >>> BoostingRegressor().fit_replicas(X, X[:, 0], folds)[:, :2].round(2)
        array([[ 0., nan],
               [nan,  0.]])
        """
        plan = self._plan(None)
        probe = copy.copy(self)  # what checks leave on an estimator shall not be seen on this one
        probe.warm_start = False
        checked, target = probe._checked(usable_features(X), self._usable_target(y), reset=True)
        rows = native_floats(checked)
        weight = row_weights(sample_weight, rows.shape[0])
        asked = asked_sets(plan, rows.shape[0], weights, roles, ensemble_of, weight, seeds, groups)
        return predictions_of_sets(plan, rows, probe._lesson(target), weight, asked)

    def out_of_bag_importances(
        self, X: ArrayLike, y: ArrayLike, *, n_repeats: int = 5, random_state: Any = None
    ) -> OutOfBagImportances:
        """Return by how much the loss on rows out of bag rises when a feature's values are shuffled.

        Each row is predicted by the replicas that have left it out, so a feature that they have merely learned by heart
        gets nothing. Features that tell the same share what they tell: each can be shuffled at little loss. Rows count
        alike, whatever they weighed in the fit.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)
            The rows of the fit, in the same order.
        y : array, shape (n_rows,)
        n_repeats : int, default 5
            Shuffles of each feature.
        random_state : int, generator or None

        Returns
        -------
        OutOfBagImportances
            Mean rise of the squared error or the log loss, with an interval, for each feature.

        Raises
        ------
        InvalidInput
            A model of one replica, or whose replicas left no row out; rows other than those of the fit, or in another
            order.

        References
        ----------
        Breiman (2001). Random Forests. Machine Learning 45. Section 10.

        Examples
        --------
        >>> import numpy as np
        >>> from heldout import BoostingRegressor
        >>> X = np.random.default_rng(0).normal(size=(200, 2))
        >>> model = BoostingRegressor(replicas=5, resampling="subsample", random_state=0).fit(X, X[:, 1])
        >>> found = model.out_of_bag_importances(X, X[:, 1], random_state=0)
        >>> bool(found.ci_low[1] > 1), bool(abs(found.mean[0]) < 0.1)
        (True, True)
        """
        check_is_fitted(self, "ensemble_")
        members = self._kept_members("out_of_bag_importances")
        checked, target = self._checked(usable_features(X), self._usable_target(y), reset=False)
        if len(checked) != members.n_rows:
            raise InvalidInput(
                f"X must be the {members.n_rows} rows of the fit, in their order, got {len(checked)} rows: only for "
                "these is it known which replicas left them out"
            )
        return permuted_out_of_bag(
            self._judging(target),
            members,
            self.ensemble_,
            native_floats(checked),
            self.__dict__.get("oob_prediction_"),
            n_repeats=n_repeats,
            seed=seed_of(random_state),
            n_threads=n_threads(self.n_jobs),
        )

    @property
    def replicas_per_set(self) -> int:
        """Models that `fit_replicas` holds at once for each training set of many rows."""
        plan = checked_plan(self)
        if plan.n_replicas > 1 or not plan.out_of_bag:
            return plan.n_replicas
        return evaluation_replicas(plan.resampling, sys.maxsize)

    @property
    def needs_groups(self) -> bool:
        """Whether `fit` cannot do without `groups`: replicas are drawn, and by whole groups."""
        return checked_plan(self).needs_groups

    def _begins_anew(self) -> bool:
        return not (self.warm_start and hasattr(self, "ensemble_"))

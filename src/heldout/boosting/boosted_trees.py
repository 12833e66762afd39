"""What both boosting estimators share: parameters, raw scores, leaves."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from heldout._random import seed_of
from heldout._threads import n_threads
from heldout.boosting.asked_sets import asked_sets, checked_groups
from heldout.boosting.bags import evaluation_replicas
from heldout.boosting.features import native_floats, usable_features
from heldout.boosting.fitting import Round, as_before_unless_done, fit_rounds
from heldout.boosting.importances import OutOfBagImportances, permuted_out_of_bag
from heldout.boosting.lessons import Lesson
from heldout.boosting.members import Members
from heldout.boosting.parameters import FitPlan, checked_plan
from heldout.boosting.replicated_fit import fit_replicated, forget_replicas, predictions_of_sets
from heldout.boosting.weights import counts_and_factors, row_weights
from heldout.errors import InvalidInput
from heldout.trees import TreeEnsemble

__all__ = ["BoostedTrees", "Callback"]

Callback = Callable[[Round], Any]

# Below, a second thread costs more to start than it saves.
_ROWS_WORTH_THREADS = 4096


class BoostedTrees(BaseEstimator):
    """What both estimators share: parameters, raw scores, leaves. An implementation detail, not an interface."""

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

    def _predictions(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn scores, shape (n, n_outputs), into values or probabilities."""
        raise NotImplementedError

    def _judging(self, target: NDArray[Any]) -> Lesson:
        """Return what predictions of the fitted model are judged by."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = False
        return tags

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
            A whole number up to 255 equals that many copies of the row; other weights multiply its loss.
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
                fit_rounds(self, plan, rows, objective, X_val, target_val, callback)
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
            Whole numbers multiply `weights` (in sets where a product would pass 255 they multiply losses instead);
            others multiply losses.
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
    def members_(self) -> TreeEnsemble:
        """The replicas' own trees, of which `ensemble_` is the mean; only there with several replicas.

        Output k * n_outputs + o is score o of replica k. They are as they were judged: before leaf values were
        recomputed from all rows, where the fit was stopped by rows out of bag.
        """
        check_is_fitted(self, "ensemble_")
        if "_members" not in self.__dict__:
            raise AttributeError(
                f"members_ is there with replicas=2 or more, got a {type(self).__name__} of one replica"
            )
        members: Members = self._members
        return members.trees(self.ensemble_)

    def _kept_members(self, what: str) -> Members:
        members: Members | None = self.__dict__.get("_members")
        if members is None:
            raise InvalidInput(f"{what} needs several replicas, got a model of one: fit with replicas=10, say")
        return members

    def _std_of_members(self, X: Any) -> NDArray[np.float64]:
        """Return the standard deviation of the replicas' predictions, shape (n_rows, 1) or (n_rows, n_classes)."""
        X = self._features(X)
        members = self._kept_members("return_std")
        found = []
        for _, scores in members.scores(self.ensemble_, X, self._threads_for(X.shape[0])):
            n_rows, n_replicas, n_outputs = scores.shape
            values = self._predictions(scores.reshape(-1, n_outputs)).reshape(n_rows, n_replicas, -1)
            found.append(values.std(axis=1, ddof=1))
        return np.concatenate(found)

    def _features(self, X: Any) -> NDArray[np.floating[Any]]:
        """Check X for a prediction. A plain array of the right width takes the short way."""
        state = self.__dict__
        ensemble = state.get("ensemble_")
        if (
            ensemble is not None
            and type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype.char in "fd"
            and X.dtype.isnative
            and X.flags.c_contiguous
            and X.flags.aligned
            and X.shape[1] == ensemble.n_features
            and X.shape[0] > 0
            and "feature_names_in_" not in state
        ):
            return X
        check_is_fitted(self, "ensemble_")
        checked = validate_data(
            self, usable_features(X), reset=False, dtype=[np.float64, np.float32], ensure_all_finite=False
        )
        return native_floats(checked)

    def _begins_anew(self) -> bool:
        return not (self.warm_start and hasattr(self, "ensemble_"))

    def _threads_for(self, n_rows: int) -> int:
        return n_threads(self.n_jobs) if n_rows >= _ROWS_WORTH_THREADS else 1

    def _raw(self, X: Any) -> NDArray[np.float64]:
        X = self._features(X)
        ensemble: TreeEnsemble = self.ensemble_
        return ensemble.raw(X, self._threads_for(X.shape[0]))

    def _staged_raw(self, X: Any) -> Iterator[NDArray[np.float64]]:
        X = self._features(X)
        ensemble: TreeEnsemble = self.ensemble_
        scores = np.tile(ensemble.base, (X.shape[0], 1))
        for first in range(0, ensemble.n_trees, self._trees_of_a_round):
            ensemble.add_trees(X, scores, first, first + self._trees_of_a_round, self._threads_for(X.shape[0]))
            yield scores.copy()

    @property
    def _trees_of_a_round(self) -> int:
        members: Members | None = self.__dict__.get("_members")
        ensemble: TreeEnsemble = self.ensemble_
        return ensemble.n_outputs * (1 if members is None else members.n_replicas)

    def apply(self, X: ArrayLike) -> NDArray[np.int32]:
        """Return the leaf of each row in each tree.

        Parameters
        ----------
        X : array of numbers, shape (n_rows, n_features)

        Returns
        -------
        leaves : array of int32, shape (n_rows, n_trees)
            The leaf's node number in its tree. Trees stand round by round, of each round replica by replica, of each
            replica class by class.
        """
        X = self._features(X)
        ensemble: TreeEnsemble = self.ensemble_
        return ensemble.leaves(X, self._threads_for(X.shape[0]))

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

    @property
    def n_trees_(self) -> int:
        """Rounds in the model: fewer than `n_trees` where the fit was stopped."""
        check_is_fitted(self, "ensemble_")
        return int(self.ensemble_.n_trees // self._trees_of_a_round)

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """Share of each feature in the fall of the training loss by all splits of all replicas, shape (n_features,).

        Computed on training rows, so features that fit noise get a share too; all zeros where nothing was split.
        """
        check_is_fitted(self, "ensemble_")
        trees: TreeEnsemble = self.ensemble_
        inner = trees.feature >= 0
        total = np.bincount(trees.feature[inner], weights=trees.gain[inner], minlength=trees.n_features)
        everything = total.sum()
        return np.asarray(total / everything if everything > 0 else total, dtype=np.float64)

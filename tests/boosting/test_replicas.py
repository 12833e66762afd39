"""Models of several replicas: each member is a fit by itself, and the model is their mean."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from heldout import BoostingClassifier, BoostingRegressor
from heldout.resampling import Blocks, Bootstrap, KFold, Subsample

from reference.ensembles import assert_same_bits, same_bits, walk_leaves

KINDS = ("regression", "two", "five")
N = 400

pytestmark = pytest.mark.filterwarnings("ignore:.* in the bag of all:UserWarning", "ignore:no row is out:UserWarning")


@pytest.fixture
def small(make_table: Any, seed: int) -> Any:
    return make_table(N, seed)


@pytest.fixture
def bags(seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).poisson(1.0, (N, 4))


def values_of(kind: str, raw: NDArray[np.float64]) -> NDArray[np.float64]:
    if kind == "regression":
        return raw[:, 0]
    if kind == "two":
        return np.column_stack([special.expit(-raw[:, 0]), special.expit(raw[:, 0])])
    return special.softmax(raw, axis=1)


def predicted(kind: str, model: Any, X: Any, **options: Any) -> Any:
    return model.predict(X, **options) if kind == "regression" else model.predict_proba(X, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_each_member_is_a_fit_to_its_bag(kind: str, small: Any, bags: Any, make_model: Any) -> None:
    y = small.target_of(kind)
    X = np.nan_to_num(small.X[:, 1:3])  # of few values, so that a bag is cut where the table is
    parameters = {"n_trees": 7, "min_leaf_weight": 5}
    model = make_model(kind, replicas=4, resampling=bags, **parameters).fit(X, y)
    raw = model.members_.raw(X).reshape(N, 4, -1)
    for k in range(4):
        alone = make_model(kind, **parameters).fit(X, y, sample_weight=bags[:, k])
        assert same_bits(np.ascontiguousarray(raw[:, k]), alone.ensemble_.raw(X))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_balanced_classes_are_those_of_each_bag(n_classes: int, seed: int) -> None:
    """Each member is a fit with its bag as weights, and labels that are in no bag change no tree."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, (N, 3)).astype(float)
    y = np.minimum(X[:, 0] // 2 + (rng.random(N) < 0.2), n_classes - 1).astype(int)
    bags = rng.integers(0, 3, (N, 3))
    bags[:20] = 0
    parameters = {"class_weight": "balanced", "n_trees": 6, "min_leaf_weight": 3}
    model = BoostingClassifier(replicas=3, resampling=bags, **parameters).fit(X, y)
    raw = model.members_.raw(X).reshape(N, 3, -1)
    for k in range(3):
        alone = BoostingClassifier(**parameters).fit(X, y, sample_weight=bags[:, k])
        assert same_bits(np.ascontiguousarray(raw[:, k]), alone.ensemble_.raw(X))
    poisoned = np.where(np.arange(N) < 20, (y + 1) % n_classes, y)
    again = BoostingClassifier(replicas=3, resampling=bags, **parameters).fit(X, poisoned)
    assert_same_bits(model.members_, again.members_)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_an_array_leaves_out_of_every_bag_are_never_learned(
    kind: str, small: Any, bags: Any, make_model: Any
) -> None:
    """Not even when leaves are computed anew; where rows miss every bag by chance, they are learned then."""
    X, y = small.X, small.target_of(kind)
    bags[:30] = 0
    bags[30:, 0] = 1
    parameters = {"replicas": 4, "early_stopping": "out_of_bag", "n_trees": 5, "min_leaf_weight": 3}
    poisoned = y.copy()
    poisoned[:30] = y[30:60]
    one, other = (make_model(kind, resampling=bags, **parameters).fit(X, target) for target in (y, poisoned))
    # They do choose the rounds, so one may have more.
    for first, second in zip(one.staged_predict(X), other.staged_predict(X), strict=False):
        assert np.array_equal(first, second)


def test_refitted_leaves_are_balanced_over_all_rows(seed: int) -> None:
    """One member with all rows: filling its leaves anew changes them by rounding alone."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, (N, 3)).astype(float)
    y = (rng.random(N) < 0.2).astype(int)
    bags = np.ones((N, 2), dtype=int)
    bags[0, 0], bags[1, 1] = 0, 0
    parameters = {"class_weight": "balanced", "n_trees": 3, "learning_rate": 0.3, "min_leaf_weight": 3}
    stopped = BoostingClassifier(replicas=2, resampling=bags, early_stopping="out_of_bag", **parameters).fit(X, y)
    assert stopped.ensemble_.base == pytest.approx(0.0, abs=1e-9)  # both classes weigh the same
    whole = BoostingClassifier(**(parameters | {"n_trees": stopped.n_trees_})).fit(X, y)
    assert whole.ensemble_.base == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_is_the_mean_of_its_members(kind: str, small: Any, make_model: Any) -> None:
    X, y = small.X, small.target_of(kind)
    model = make_model(kind, replicas=4, n_trees=5, random_state=0).fit(X, y)
    raw = model.members_.raw(X).reshape(N, 4, -1)
    prediction, std = predicted(kind, model, X, return_std=True)
    np.testing.assert_allclose(prediction, values_of(kind, raw.mean(axis=1)), rtol=1e-10)
    assert same_bits(prediction, predicted(kind, model, X))
    single = np.stack([values_of(kind, raw[:, k]) for k in range(4)])
    np.testing.assert_allclose(std, single.std(axis=0, ddof=1), rtol=1e-9, atol=1e-12)
    assert model.members_ is model.members_
    for name in ("starts", "feature", "threshold", "left", "missing_left", "gain"):
        assert getattr(model.members_, name) is getattr(model.ensemble_, name)


@pytest.mark.parametrize("kind", KINDS)
def test_rounds_are_counted_and_staged_for_all_members_at_once(kind: str, small: Any, make_model: Any) -> None:
    X, y = small.X, small.target_of(kind)
    model = make_model(kind, replicas=3, n_trees=5, random_state=0).fit(X, y)
    n_outputs = 5 if kind == "five" else 1
    assert model.n_trees_ == 5
    assert model.apply(X).shape == (N, 5 * 3 * n_outputs)
    assert np.array_equal(model.apply(X), walk_leaves(model.ensemble_, X))
    staged = list(model.staged_predict(X))
    assert len(staged) == 5
    assert np.array_equal(staged[-1], model.predict(X))
    shorter = clone(model).set_params(n_trees=2).fit(X, y)
    assert np.array_equal(staged[1], shorter.predict(X))
    gain = np.zeros(X.shape[1])
    trees = model.members_
    np.add.at(gain, trees.feature[trees.feature >= 0], trees.gain[trees.feature >= 0])
    np.testing.assert_allclose(model.feature_importances_, gain / gain.sum())


@pytest.mark.parametrize("kind", KINDS)
def test_replicas_of_all_rows_are_one_model_again(kind: str, small: Any, make_model: Any) -> None:
    X, y = small.X, small.target_of(kind)
    one = make_model(kind, n_trees=5).fit(X, y)
    four = make_model(kind, n_trees=5, replicas=4, resampling=None).fit(X, y)
    np.testing.assert_allclose(predicted(kind, four, X), predicted(kind, one, X), rtol=1e-12)
    _, std = predicted(kind, four, X, return_std=True)
    assert not std.any()
    assert not [name for name in vars(four) if name.startswith("oob_")]


def test_draws_of_features_tell_replicas_of_all_rows_apart(small: Any) -> None:
    model = BoostingRegressor(n_trees=5, replicas=4, resampling=None, max_features=0.5, random_state=0)
    _, std = model.fit(small.X, small.y).predict(small.X, return_std=True)
    assert (std > 0).mean() > 0.9


@pytest.mark.parametrize("early_stopping", [False, "out_of_bag"])
@pytest.mark.parametrize("kind", KINDS)
def test_threads_change_no_bit(kind: str, early_stopping: Any, small: Any, make_model: Any) -> None:
    X, y = small.X, small.target_of(kind)
    parameters = {"n_trees": 20, "replicas": 3, "early_stopping": early_stopping, "random_state": 1}
    one, other = (make_model(kind, n_jobs=n_jobs, **parameters).fit(X, y) for n_jobs in (1, 3))
    assert_same_bits(one.ensemble_, other.ensemble_)
    assert_same_bits(one.members_, other.members_)
    assert same_bits(one.oob_prediction_, other.oob_prediction_)
    assert same_bits(one.oob_std_, other.oob_std_)
    assert one.oob_error_.error == other.oob_error_.error


@pytest.mark.parametrize("early_stopping", [False, "out_of_bag"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_rows_and_plain_code_change_no_bit(
    kind: str,
    early_stopping: Any,
    small: Any,
    bags: Any,
    make_model: Any,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, y = small.X, small.target_of(kind)
    order = np.random.default_rng(seed).permutation(N)
    parameters = {"n_trees": 20, "replicas": 4, "early_stopping": early_stopping}
    one = make_model(kind, resampling=bags, **parameters).fit(X, y)
    monkeypatch.setenv("HELDOUT_SIMD", "plain")
    other = make_model(kind, resampling=bags[order], n_jobs=2, **parameters).fit(X[order], y[order])
    assert_same_bits(one.ensemble_, other.ensemble_)
    assert_same_bits(one.members_, other.members_)
    assert same_bits(one.oob_prediction_[order], other.oob_prediction_)
    np.testing.assert_allclose(one.oob_curve_.loss, other.oob_curve_.loss, rtol=1e-12)


@pytest.mark.parametrize("resampling", ["bootstrap", "poisson", Blocks(7)], ids=str)
def test_more_replicas_leave_the_first_as_they_are(resampling: Any, small: Any) -> None:
    parameters = {"n_trees": 4, "resampling": resampling, "max_features": 0.5, "random_state": 2}
    few, many = (BoostingRegressor(replicas=k, **parameters).fit(small.X, small.y) for k in (3, 5))
    assert same_bits(few.members_.raw(small.X), np.ascontiguousarray(many.members_.raw(small.X)[:, :3]))


def test_replicas_draw_apart_and_seeds_decide(small: Any) -> None:
    def fit(seed: int) -> NDArray[np.float64]:
        return np.asarray(
            BoostingRegressor(replicas=3, n_trees=4, random_state=seed).fit(small.X, small.y).members_.raw(small.X)
        )

    one, again, other = fit(0), fit(0), fit(1)
    assert same_bits(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one[:, 0], one[:, 1])


@pytest.mark.parametrize("weighted", [False, True])
def test_leaves_are_computed_anew_from_all_rows(weighted: bool, small: Any, seed: int) -> None:
    """After a stop by rows out of bag: the structures stay, and squared error fills leaves with means of residuals."""
    X, y = small.X, small.y
    weight = np.random.default_rng(seed).integers(0, 4, N) if weighted else np.ones(N)
    model = BoostingRegressor(replicas=3, early_stopping="out_of_bag", n_trees=40, l2=2.0, random_state=0)
    model.fit(X, y, sample_weight=weight)
    trees, K = model.ensemble_, 3
    leaves = walk_leaves(trees, X)
    base = np.average(y, weights=weight)
    np.testing.assert_allclose(trees.base, [base], rtol=1e-12)
    for k in range(K):
        score = np.full(N, base)
        for t in range(k, trees.n_trees, K):
            at = trees.starts[t] + leaves[:, t]
            residual = np.bincount(at, weights=weight * (y - score), minlength=trees.value.size)
            total = np.bincount(at, weights=weight, minlength=trees.value.size)
            own = slice(trees.starts[t], trees.starts[t + 1])
            leaf = trees.feature[own] < 0
            value = 0.1 * residual / (total + 2.0)
            np.testing.assert_allclose(trees.value[own][leaf] * K, value[own][leaf], rtol=1e-5, atol=1e-7)
            assert np.array_equal(trees.count[own][leaf], total[own][leaf])
            score += value[at]
    assert not np.array_equal(model.members_.value, trees.value * K)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_stop_leaves_stay_those_of_the_bags(kind: str, small: Any, make_model: Any) -> None:
    model = make_model(kind, replicas=3, n_trees=5, random_state=0).fit(small.X, small.target_of(kind))
    assert np.array_equal(model.members_.value / 3, model.ensemble_.value)
    assert model.members_.count is model.ensemble_.count


@pytest.mark.parametrize("kind", KINDS)
def test_validation_rows_judge_the_averaged_model(kind: str, small: Any, make_model: Any) -> None:
    X, y = small.X, small.target_of(kind)
    held = {"X_val": X[250:], "y_val": y[250:]}
    parameters = {"replicas": 3, "min_leaf_weight": 3, "learning_rate": 0.5, "random_state": 0}
    model = make_model(kind, n_trees=60, early_stopping=5, **parameters).fit(X[:250], y[:250], **held)
    losses = model.validation_losses_
    best = int(np.argmin(losses))
    assert model.n_trees_ == best + 1
    assert len(losses) == best + 1 + 5 < 60
    same = make_model(kind, n_trees=best + 1, **parameters).fit(X[:250], y[:250], **held)
    assert_same_bits(model.ensemble_, same.ensemble_)
    assert same_bits(model.oob_prediction_, same.oob_prediction_)
    assert same_bits(same.validation_losses_, losses[: best + 1])
    assert not hasattr(model, "oob_curve_")
    without = make_model(kind, n_trees=best + 1, **parameters).fit(X[:250], y[:250])
    assert_same_bits(model.ensemble_, without.ensemble_)
    if kind == "regression":
        expected = [np.mean((p - y[250:]) ** 2) / 2 for p in same.staged_predict(X[250:])]
    else:
        codes = np.unique(y, return_inverse=True)[1][250:]
        expected = [-np.log(p[np.arange(150), codes]).mean() for p in same.staged_predict_proba(X[250:])]
    np.testing.assert_allclose(losses[: best + 1], expected, rtol=1e-9)


def test_a_callback_is_told_of_each_round_of_the_model(small: Any) -> None:
    told: list[Any] = []
    BoostingRegressor(replicas=3, n_trees=6, resampling=None).fit(small.X, small.y, callback=told.append)
    assert [each.number for each in told] == list(range(1, 7))
    assert [each.validation_loss for each in told] == [None] * 6
    told.clear()
    model = BoostingRegressor(replicas=3, n_trees=50, random_state=0)
    model.fit(small.X, small.y, callback=lambda each: told.append(each) or each.number == 4)
    assert model.n_trees_ == 4
    assert [each.validation_loss for each in told] == model.oob_curve_.loss.tolist()
    told.clear()
    single = BoostingRegressor(n_trees=50, early_stopping="out_of_bag", random_state=0)
    single.fit(small.X, small.y, callback=told.append)
    assert [each.number for each in told] == list(range(1, single.n_trees_ + 1))


def test_what_a_callback_raises_leaves_the_model_as_it_was(small: Any) -> None:
    model = BoostingRegressor(replicas=3, n_trees=5, random_state=0).fit(small.X, small.y)
    before = dict(vars(model))

    def fail(_: Any) -> None:
        raise ZeroDivisionError("now")

    with pytest.raises(ZeroDivisionError, match="now"):
        model.fit(small.X[:, :3], small.y, callback=fail)
    assert vars(model) == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy, copy.copy])  # noqa: S301
def test_a_kept_model_tells_the_same(kind: str, keep: Any, small: Any, make_model: Any) -> None:
    X, y = small.X, small.target_of(kind)
    model = make_model(kind, replicas=3, n_trees=4, early_stopping="out_of_bag", random_state=0).fit(X, y)
    kept = keep(model)
    for one, other in zip(
        predicted(kind, model, X, return_std=True), predicted(kind, kept, X, return_std=True), strict=True
    ):
        assert same_bits(one, other)
    found = [each.out_of_bag_importances(X, y, random_state=0).mean for each in (model, kept)]
    assert same_bits(*found)
    assert kept.n_trees_ == model.n_trees_
    assert kept.oob_curve_.loss.tolist() == model.oob_curve_.loss.tolist()


def test_a_kept_model_holds_its_trees_once(small: Any, tmp_path: Path) -> None:
    """And a float more for each node, and a bit a row for who was in which bag."""
    sizes = []
    for replicas in (1, 8):
        model = BoostingRegressor(replicas=replicas, n_trees=50, min_leaf_weight=1, random_state=0)
        model.fit(small.X, small.y)
        if replicas > 1:
            model.predict(small.X, return_std=True)
        joblib.dump(model, tmp_path / "model.joblib")
        sizes.append((tmp_path / "model.joblib").stat().st_size)
    assert sizes[1] < 8 * sizes[0] * 1.25
    members = model.__dict__["_members"]
    assert members.left_out.nbytes == 8 * N / 8


def test_resamplings_of_every_kind_are_parameters(small: Any) -> None:
    X, y = small.X[:120], small.y[:120]
    weights = np.random.default_rng(0).poisson(1.0, (120, 4))
    for resampling in ("poisson", "subsample", "kfold", Bootstrap(), Subsample(0.5), KFold(2), Blocks(10, 3), weights):
        model = BoostingRegressor(replicas=4, resampling=resampling, n_trees=3, random_state=0).fit(X, y)
        twin = clone(model).fit(X, y)
        assert_same_bits(model.ensemble_, twin.ensemble_)
        assert model.get_params()["resampling"] is resampling
        assert "replicas=4" in repr(model)
        assert model.oob_prediction_.shape == (120,)
    assert clone(model).set_params(resampling=None, replicas=2).fit(X, y).n_trees_ == 3


def test_a_search_may_try_replicas(small: Any) -> None:
    search = GridSearchCV(
        BoostingRegressor(n_trees=5, random_state=0), {"replicas": [1, 3], "resampling": ["subsample", None]}, cv=2
    )
    search.fit(small.X, small.y)
    assert set(search.best_params_) == {"replicas", "resampling"}


def test_a_single_fit_forgets_the_replicas_before(small: Any) -> None:
    model = BoostingRegressor(replicas=3, n_trees=4, random_state=0).fit(small.X, small.y)
    assert hasattr(model, "members_")
    model.set_params(replicas=1).fit(small.X, small.y)
    plain = BoostingRegressor(n_trees=4, random_state=0).fit(small.X, small.y)
    assert_same_bits(model.ensemble_, plain.ensemble_)
    assert set(vars(model)) == set(vars(plain))
    assert not hasattr(model, "members_")
    assert model.n_trees_ == 4


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_any_size_are_judged_by_validation_rows_alike(kind: str, small: Any, make_model: Any) -> None:
    """Validation rows weigh nothing: beside very small weights they must not set the scale of the derivatives."""
    X, y = small.X, small.target_of(kind)
    weight = np.random.default_rng(0).gamma(2.0, size=300)
    held = {"X_val": X[300:], "y_val": y[300:]}
    parameters = {"replicas": 2, "resampling": None, "n_trees": 5, "max_features": 0.5, "random_state": 0}
    one = make_model(kind, **parameters).fit(X[:300], y[:300], sample_weight=weight, **held)
    other = make_model(kind, **parameters).fit(X[:300], y[:300], sample_weight=np.ldexp(weight, -200), **held)
    assert same_bits(one.predict(X), other.predict(X))
    assert same_bits(one.validation_losses_, other.validation_losses_)

"""Windows: index arithmetic equal to plain loops over each series."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout.sequence.windows import Windows, all_origins, last_origins

from reference.series import make_sequences


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=5),
    st.integers(1, 6),
    st.integers(1, 8),
    st.integers(1, 5),
)
def test_contexts_and_futures_are_those_of_plain_loops(lengths, horizon, length, least_context):
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(n, 2)) for n in lengths]
    sequences = make_sequences(parts)
    windows = all_origins(sequences, horizon, least_context=least_context)
    expected = [
        (series, place)
        for series, part in enumerate(parts)
        for place in range(len(part))
        if place + 1 >= least_context and place + horizon < len(part)
    ]
    found = list(
        zip(windows.series.tolist(), (windows.origin - sequences.offsets[windows.series]).tolist(), strict=True)
    )
    assert found == expected
    everywhere = Windows(sequences, np.arange(sequences.n_rows), horizon)
    context, future = everywhere.context(length), everywhere.future()
    assert context.shape == (sequences.n_rows, length, 2)
    assert future.shape == (sequences.n_rows, horizon, 2)
    window = 0
    for part in parts:
        for place in range(len(part)):
            for k in range(length):
                row = place - length + 1 + k
                np.testing.assert_array_equal(context[window, k], part[row] if row >= 0 else [np.nan] * 2)
            for k in range(horizon):
                row = place + 1 + k
                np.testing.assert_array_equal(future[window, k], part[row] if row < len(part) else [np.nan] * 2)
            window += 1


def test_no_future_reaches_where_it_must_end():
    sequences = make_sequences([np.arange(10.0), np.arange(6.0), np.arange(3.0)])
    windows = all_origins(sequences, 2, ends_before=np.array([7, 16, 16]))
    assert windows.origin.tolist() == [0, 1, 2, 3, 4, 10, 11, 12, 13]
    assert len(all_origins(sequences, 11)) == 0


def test_the_last_row_of_each_series_is_an_origin():
    sequences = make_sequences([np.arange(3.0), [5.0], np.arange(4.0)])
    windows = last_origins(sequences, 2)
    assert windows.origin.tolist() == [2, 3, 7]
    assert windows.series.tolist() == [0, 1, 2]
    assert np.isnan(windows.future()).all()
    one = windows.take(np.array([False, True, False]))
    np.testing.assert_array_equal(one.context(2)[0, :, 0], [np.nan, 5])


def test_the_span_of_a_future_is_in_counts_of_steps():
    sequences = make_sequences([np.zeros(4), np.zeros(2)])
    sequences.count[:] = [0, 1, 5, 6.5, 10, 20]
    first, last = Windows(sequences, np.array([0, 2, 3, 4]), 2).future_span()
    assert first.tolist() == [1, 6.5, 7.5, 20]
    assert last.tolist() == [5, 7.5, 8.5, 21]

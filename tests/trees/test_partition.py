"""Partition: stable, and the same by any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from heldout import _native

from reference.growth import goes_left

stages = _native.stages


@pytest.mark.parametrize("n_threads", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("missing_left", [False, True])
@pytest.mark.parametrize("n_rows", [0, 1, 2, 7, 8, 9, 31, 1_003])
def test_rows_that_go_left_come_first_in_their_old_order(n_threads, missing_left, n_rows, seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, 2_000).astype(np.uint8)
    codes[codes == 254] = 255
    rows = np.sort(rng.choice(2_000, n_rows, replace=False)).astype(np.uint32)
    for split_bin in (0, 1, 100, 252, 253):
        found, n_left = stages.partition(codes, split_bin, missing_left, rows, n_threads)
        left = goes_left(codes[rows], split_bin, missing_left)
        assert n_left == left.sum()
        np.testing.assert_array_equal(found, np.concatenate([rows[left], rows[~left]]))


def test_offsets_of_cells_do_not_wrap_at_32_bits():
    assert stages.code_offset(2**31 - 1, 1_000) == (2**31 - 1) * 1_000
    assert stages.column_offset(1_000, 1, 999, 2**31 - 1) == 4 * ((2**31 - 1) * 1_000 + 999)
    assert stages.column_offset(1, 2**31 - 1, 1_000, 5) == 4 * ((2**31 - 1) * 1_000 + 5)

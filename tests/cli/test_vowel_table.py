"""The table that ships with the package."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import polars as pl

from heldout.examples import copy_vowel, vowel_path

# Order of the class codes 0 to 10 in the repository's description of the data.
WORDS = ("hid", "hId", "hEd", "hAd", "hYd", "had", "hOd", "hod", "hUd", "hud", "hed")


def test_the_table_is_that_of_the_source_with_words_for_codes(open_data: Path) -> None:
    shipped = pl.read_csv(vowel_path())
    source = pl.read_parquet(open_data / "iid" / "vowel.parquet")
    assert shipped.drop("Class").equals(source.drop("Class").cast(dict(shipped.drop("Class").schema)))
    assert shipped["Class"].to_list() == [WORDS[int(code)] for code in source["Class"]]


def test_speakers_words_and_repetitions_are_balanced() -> None:
    shipped = pl.read_csv(vowel_path())
    assert shipped.shape == (990, 14)
    counts = shipped.group_by("SpeakerNumber", "Class").len()["len"]
    assert (len(counts), counts.unique().to_list()) == (15 * 11, [6])
    # Sex belongs to the speaker, and TT cuts between speakers.
    assert shipped.group_by("SpeakerNumber").agg(pl.col("Sex", "TT").n_unique()).select("Sex", "TT").unique().row(
        0
    ) == (1, 1)


def test_the_page_beside_it_names_source_licence_and_its_checksum() -> None:
    page = vowel_path().with_name("vowel.md").read_text(encoding="utf-8")
    stated = re.search(r"`([0-9a-f]{64})`", page)
    assert stated is not None
    assert hashlib.sha256(gzip.decompress(vowel_path().read_bytes())).hexdigest() == stated.group(1)
    assert "Deterding" in page
    assert "creativecommons.org/licenses/by/4.0" in vowel_path().with_name("LICENCE-vowel.txt").read_text()


def test_the_copy_goes_with_the_page_that_credits_it(tmp_path: Path) -> None:
    table = copy_vowel(tmp_path / "new" / "folder")
    assert table.read_bytes() == gzip.decompress(vowel_path().read_bytes())
    assert table.with_name("vowel.md").exists()

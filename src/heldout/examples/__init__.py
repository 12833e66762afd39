"""The small real table that ships with the package, for `heldout demo`, the README and the tests."""

from __future__ import annotations

import gzip
from importlib import resources
from pathlib import Path

__all__ = ["copy_vowel", "vowel_path", "vowel_plan_path"]


def vowel_path() -> Path:
    """Return where the vowel table lies: a gzipped CSV, which `heldout audit` reads as it is.

    990 rows of 15 speakers saying 11 vowels. Source, columns and licence (CC BY 4.0) stand beside it in
    ``vowel.md``.

    Examples
    --------
    >>> from heldout.examples import vowel_path
    >>> vowel_path().name
    'vowel.csv.gz'
    """
    # scikit-build-core installs packages unpacked, so the resource is a real file.
    return Path(str(resources.files(__name__).joinpath("vowel.csv.gz")))


def vowel_plan_path() -> Path:
    """Return where the plan of the demo lies: with it the numbers do not hang on how fast the machine is.

    Examples
    --------
    >>> from heldout.examples import vowel_plan_path
    >>> vowel_plan_path().name
    'vowel-plan.json'
    """
    return vowel_path().with_name("vowel-plan.json")


def copy_vowel(folder: Path) -> Path:
    """Unpack the vowel table into `folder`, with the page that names its source and licence, and the demo's plan.

    Parameters
    ----------
    folder : Path
        Made when it is not there.

    Returns
    -------
    Path
        ``folder/vowel.csv``.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "vowel.csv"
    table.write_bytes(gzip.decompress(vowel_path().read_bytes()))
    # CC BY asks that source, licence and changes travel with the data.
    (folder / "vowel.md").write_bytes(vowel_path().with_name("vowel.md").read_bytes())
    (folder / "vowel-plan.json").write_bytes(vowel_plan_path().read_bytes())
    return table

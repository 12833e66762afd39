"""A user's own estimator in a model file: by skops, and only of types that are trusted.

skops rebuilds objects from JSON and arrays without running code of theirs, and refuses every type that is
neither on its own list (scikit-learn, NumPy, SciPy) nor named by the reader.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if

from heldout.errors import ModelFileError

__all__ = ["StoredForeign"]

MOST_BYTES = 2**31


class StoredForeign:
    """Any fitted estimator, which takes the user's own kind of frame."""

    kind: ClassVar[str] = "foreign"

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def dump(self) -> bytes:
        """Return the skops file of the estimator.

        Raises
        ------
        ModelFileError
            skops cannot write it.
        """
        import skops.io

        try:
            return bytes(skops.io.dumps(self.estimator))
        except Exception as problem:  # whatever the user's own objects raise while they are taken apart
            name = f"{type(self.estimator).__module__}.{type(self.estimator).__qualname__}"
            raise ModelFileError(
                f"a fitted {name} cannot be stored by skops ({problem}): save it by means of its own"
            ) from problem

    @classmethod
    def load(cls, data: bytes, trust: tuple[str, ...]) -> StoredForeign:
        """Return the estimator in a skops file.

        Raises
        ------
        ModelFileError
            It is damaged, or holds types that are neither on the list of skops nor in `trust`.
        """
        import skops.io

        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
            if size > MOST_BYTES:
                raise ModelFileError(f"is oversized: its estimator unpacks to {size} bytes, at most {MOST_BYTES} may")
            unknown = [name for name in skops.io.get_untrusted_types(data=data) if name not in trust]
            if unknown:
                flags = " ".join(f"--trust {name}" for name in unknown)
                raise ModelFileError(
                    f"holds types that are not trusted ({', '.join(unknown)}): if you know them, add {flags}"
                )
            return cls(skops.io.loads(data, trusted=list(trust)))
        except ModelFileError:
            raise
        except ImportError as problem:
            raise ModelFileError(f"holds an estimator that needs another package ({problem}): install it") from None
        except Exception as problem:  # a damaged dump can fail in any way that skops or the estimator can
            raise ModelFileError(f"is damaged: its estimator cannot be read ({problem})") from None

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels of the classes."""
        return np.asarray(self.estimator.classes_)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the estimator's predictions."""
        return np.asarray(self.estimator.predict(X))

    @available_if(lambda self: hasattr(self.estimator, "predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the estimator's probabilities."""
        return np.asarray(self.estimator.predict_proba(X))

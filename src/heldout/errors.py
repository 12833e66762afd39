"""Every exception that heldout raises on purpose.

::

    HeldoutError
    ├── InvalidInput (ValueError)     an argument or array is not what the function takes
    ├── DataError (ValueError)        a file or table cannot be used: what, where, how to mend it
    │   └── SchemaMismatch            new data does not fit the table a model was fitted on
    └── ModelFileError                a model file is damaged, altered, too new or not trusted

Messages are one line: what was expected, what came, what to do. The command line prints them and exits
with code 2.
"""

__all__ = ["DataError", "HeldoutError", "InvalidInput", "ModelFileError", "SchemaMismatch"]


class HeldoutError(Exception):
    """Base of all exceptions raised on purpose."""


class InvalidInput(HeldoutError, ValueError):  # noqa: N818 - named for what happened, as scikit-learn's users read it
    """An argument or array is not what the function takes."""


class DataError(HeldoutError, ValueError):
    """A file or table cannot be used as it is."""


class SchemaMismatch(DataError):  # noqa: N818 - named for what happened
    """New data does not fit the table a model was fitted on."""


class ModelFileError(HeldoutError):
    """A model file is damaged, altered, too new, or holds a type that was not trusted."""

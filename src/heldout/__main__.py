"""``python -m heldout`` is the command line."""

from heldout.cli import main

main()

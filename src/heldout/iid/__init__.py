"""Which parts of the IID assumption hold for a table, and how it should therefore be split.

`check` looks at one table: order, groups, exact copies. `compare` looks at two. Both return frozen
results of numbers and sentences; nothing here knows a model.
"""

from heldout.iid.check import check
from heldout.iid.compare import compare
from heldout.iid.result import Finding, IIDReport, SplitChoice
from heldout.iid.shift import ShiftFinding, ShiftReport

__all__ = ["Finding", "IIDReport", "ShiftFinding", "ShiftReport", "SplitChoice", "check", "compare"]

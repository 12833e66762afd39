"""The figures of the report, in the manner of scikit-learn: ``X.from_result(audit).plot(ax=None)``.

Each takes an audit or the dictionary of its report.json, and after `plot` has the attributes `ax_` and
`figure_`. The report draws the same classes into its page. Those of attention take the maps of
`heldout.sequence.Forecaster.attention`. matplotlib is imported when something is drawn.
"""

from heldout.report.displays.attention import AttentionDisplay
from heldout.report.displays.candidates import CandidatesDisplay
from heldout.report.displays.confusion import ConfusionDisplay
from heldout.report.displays.differences import DifferencesDisplay
from heldout.report.displays.display import Display
from heldout.report.displays.forecast import ForecastDisplay
from heldout.report.displays.horizon_error import HorizonErrorDisplay
from heldout.report.displays.lag_profile import LagProfileDisplay
from heldout.report.displays.optimism import OptimismDisplay
from heldout.report.displays.order import OrderDisplay
from heldout.report.displays.parts import PartsDisplay
from heldout.report.displays.predictions import PredictionsDisplay
from heldout.report.displays.variables import VariablesDisplay

__all__ = [
    "AttentionDisplay",
    "CandidatesDisplay",
    "ConfusionDisplay",
    "DifferencesDisplay",
    "Display",
    "ForecastDisplay",
    "HorizonErrorDisplay",
    "LagProfileDisplay",
    "OptimismDisplay",
    "OrderDisplay",
    "PartsDisplay",
    "PredictionsDisplay",
    "VariablesDisplay",
]

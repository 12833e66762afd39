"""The main job: `audit` takes a table to a verdict, a report and a model."""

from heldout.auditing.candidates import Candidate, default_candidates
from heldout.auditing.model_file import FittedModel, load_model, save_model
from heldout.auditing.result import Audit
from heldout.auditing.run import audit

load = load_model

__all__ = [
    "Audit",
    "Candidate",
    "FittedModel",
    "audit",
    "default_candidates",
    "load",
    "load_model",
    "save_model",
]

"""Files to a Dataset: any export a RevOps person has, without mapping by hand, nothing lost."""

from kpis.intake.accounting import Defect, FileReport, Reject
from kpis.intake.mapping import Mapped
from kpis.intake.reader import Intake, check, extend, fingerprint, read
from kpis.intake.watch import Step, Stopped, Watch

__all__ = [
    "Defect",
    "FileReport",
    "Intake",
    "Mapped",
    "Reject",
    "Step",
    "Stopped",
    "Watch",
    "check",
    "extend",
    "fingerprint",
    "read",
]

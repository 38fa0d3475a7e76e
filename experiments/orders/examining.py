"""What ``orsched doctor`` looks at."""

from __future__ import annotations

from orsched.installation import DoctorReport
from orsched.installation import doctor as examine


def examined() -> DoctorReport:
    """Check the installation and, if it is sound, the policies of other distributions."""
    report = examine()
    if not report.ok:  # else the package that is imported here may be another of its name
        return report
    from policies.plugins import findings
    from policies.registry import RECIPES

    return DoctorReport((*report.findings, *findings(RECIPES)))

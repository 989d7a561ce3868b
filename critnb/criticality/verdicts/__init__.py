"""Signatures of criticality and falsifiers: the rules that judge the statistics of a condition at g*.

A new criterion is an identifier of the registry and one function in ``signatures`` or ``falsifiers``; table T08, the
notebook of S05 and the paper list whatever is registered.
"""

from critnb.criticality.verdicts.chi_peak import ChiPeak, chi_peak
from critnb.criticality.verdicts.judgement import BRANCHING, Case
from critnb.criticality.verdicts.judging import judge_all, judged_frame

__all__ = [
    "BRANCHING",
    "Case",
    "ChiPeak",
    "chi_peak",
    "judge_all",
    "judged_frame",
]

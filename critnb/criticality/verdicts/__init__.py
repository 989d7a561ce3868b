"""Signatures, descriptions and falsifiers: the rules that judge the statistics of a condition at g*.

A new criterion is an identifier of the registry with its kind, and one function in ``signatures``, ``intervention`` or
``falsifiers``; table T08, the notebook of S05 and the paper list whatever is registered.
"""

from critnb.criticality.verdicts.chi_peak import ChiPeak, chi_peak
from critnb.criticality.verdicts.family import holm
from critnb.criticality.verdicts.judgement import BRANCHING, BranchingByIntervention, Case
from critnb.criticality.verdicts.judging import judge_all, judge_family, judged_frame

__all__ = [
    "BRANCHING",
    "BranchingByIntervention",
    "Case",
    "ChiPeak",
    "chi_peak",
    "holm",
    "judge_all",
    "judge_family",
    "judged_frame",
]

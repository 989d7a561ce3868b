"""Signatures and falsifiers: the rules that judge a condition's statistics.

A new criterion is an identifier of the registry and one function in ``signatures`` or ``falsifiers``; table T08, the
notebook of S05 and the paper list whatever is registered.
"""

# importing the two modules registers what they hold
from critnb.criticality.verdicts import falsifiers, signatures
from critnb.criticality.verdicts.chi_peak import ChiPeak, chi_peak
from critnb.criticality.verdicts.criteria import judge_all, judged_frame
from critnb.criticality.verdicts.judgement import BRANCHING, Case

__all__ = [
    "BRANCHING",
    "Case",
    "ChiPeak",
    "chi_peak",
    "falsifiers",
    "judge_all",
    "judged_frame",
    "signatures",
]

"""Sizes and durations of avalanches: finding them, their scaling relations, and the analysis of one condition."""

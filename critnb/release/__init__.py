"""A release: the pack and the runs that its paper cites in one zip.

``build.assemble`` puts one together, ``zip_reader.unpack`` takes one apart; ``critnb.verify`` checks one from scratch.
"""

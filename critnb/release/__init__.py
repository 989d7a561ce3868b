"""A release: the pack and the runs that its paper cites in one zip, and the check of such a zip from scratch.

``build.assemble`` makes one, ``verify.verify_release`` looks at one without trust in anything but its bytes.
"""

"""The check of a release: ``release.verify_release`` trusts nothing but the bytes of the zip.

Each module holds checks of one kind; a check takes an ``UnpackedRelease`` and returns a ``Result``.
"""

"""The library in a notebook of your own: models, events of any text or array, estimators with their nulls, finished runs.

Its public names are those of ``critnb`` itself; each is imported when it is first used, and torch when
``load_model``, ``calibrate``, ``extract``, ``knock_out`` or ``stability`` is called. The estimators call those of
``critnb.criticality`` and ``critnb.events``.
"""

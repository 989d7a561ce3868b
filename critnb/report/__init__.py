"""From artifacts to what people read: tables under their schemas, figures in one style, notebooks and their HTML.

``tables`` and ``schema`` hold the results tables, ``figures`` and ``style`` the figures, ``display`` what notebooks
show, ``notebook`` the executed notebook and its HTML. Nothing here computes a statistic. The modules are
imported by name, so that a stage that draws nothing does not wait for matplotlib.
"""

"""nbconvert's HTML exporter with the pack's template: the cells of a page, without scripts."""

from __future__ import annotations

import sys
from functools import cache
from importlib import metadata
from pathlib import Path

from nbconvert import HTMLExporter

_TEMPLATE = "nbconvert/templates/classic/base.html.j2"
# Outputs that need scripts have no place in a page without scripts; nbconvert would also give them random ids.
_BODY = """
{%- extends 'classic/base.html.j2' -%}
{%- block input_group -%}
<details class="code">{%- set lines = cell.source.splitlines() | length -%}
<summary>code, {{ lines }} line{{ "" if lines == 1 else "s" }}</summary>
{{ cell.source | highlight_code(metadata=cell.metadata) }}
</details>
{%- endblock input_group -%}
{%- block any_cell scoped -%}
{{ cell.metadata.get("before", "") }}{{ super() }}{{ cell.metadata.get("after", "") }}
{%- endblock any_cell -%}
{%- block data_javascript scoped %}{% endblock -%}
{%- block data_widget_view scoped %}{% endblock -%}
{%- block footer %}{% endblock -%}
"""


class BodyExporter(HTMLExporter):  # type: ignore[misc]
    """The cells as HTML, with nbconvert's own templates: it would also look in the working folder and in the user's."""

    def get_prefix_root_dirs(self) -> list[str]:
        """Return the one folder that has templates."""
        return [str(_share())]


@cache
def body_exporter() -> BodyExporter:
    """Return the exporter that ``to_html`` makes a page around, one for all pages of a process: its templates are compiled once."""
    return BodyExporter(
        raw_template=_BODY,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        extra_template_basedirs=[],
        template_data_paths=[],
    )


def _share() -> Path:
    """Return the folder below which nbconvert was installed with its templates."""
    of_the_template = (each for each in metadata.files("nbconvert") or () if each.as_posix().endswith(_TEMPLATE))
    found = next((Path(str(each.locate())).resolve() for each in of_the_template), None)
    return Path(sys.prefix, "share", "jupyter") if found is None else found.parents[_TEMPLATE.count("/")]

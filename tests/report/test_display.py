from __future__ import annotations

import base64
import re

import numpy as np
import pandas as pd
import pytest

from critnb.gates import Gate, Verdict
from critnb.report.display import gates, picture, shown, table
from critnb.report.links import Link
from critnb.report.style import Rendered

FRAME = pd.DataFrame(
    {
        "kind": ["<b>", "two"],
        "g": [0.85, 1.0],
        "rate": [2e-5, 1.5e-4],
        "n": [12, 345678],
        "share": [np.nan, 1 / 3],
        "flag": [True, False],
    }
)


def cells(html: str, tag: str = "td") -> list[str]:
    return [re.sub("<.*?>", " ", cell).strip() for cell in re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", html)]


def test_a_table_shows_its_values() -> None:
    html = table(FRAME, "A <caption>").data
    assert cells(html)[:6] == ["&lt;b&gt;", "0.85", "2e-05", "12", "–", "yes"]
    assert cells(html)[6:] == ["two", "1.00", "0.00015", "345678", "0.3333", "no"]
    assert "<caption>A &lt;caption&gt;</caption>" in html


def test_units_stand_under_the_names() -> None:
    heads = cells(table(FRAME, "", units={"rate": "events/unit/token"}).data, "th")
    assert [" ".join(head.split()) for head in heads] == ["kind", "g", "rate events/unit/token", "n", "share", "flag"]


def test_decimals_of_a_column_stand_below_each_other() -> None:
    columns = {"b": [0.09524, 0.12537, -0.5, np.nan], "g": [0.7, 0.85, 1.0, 1.3], "n": [3.0, 12.0, 0.0, 250.0]}
    shown_cells = cells(table(pd.DataFrame(columns), "").data)
    assert shown_cells[::3] == ["0.0952", "0.1254", "-0.5000", "–"]
    assert shown_cells[1::3] == ["0.70", "0.85", "1.00", "1.30"]
    assert shown_cells[2::3] == ["3", "12", "0", "250"]


def test_numbers_too_far_apart_keep_their_own_digits() -> None:
    frame = pd.DataFrame({"wide": [1e-7, 3.0, 2.5], "infinite": [0.5, np.inf, 0.25], "none": [np.nan] * 3})
    shown_cells = cells(table(frame, "").data)
    assert shown_cells[::3] == ["1e-07", "3", "2.5"]
    assert shown_cells[1::3] == ["0.5", "inf", "0.25"]
    assert shown_cells[2::3] == ["–"] * 3


def test_numbers_are_aligned_right_and_words_left() -> None:
    row = re.findall(r'<td class="(.*?)">', table(FRAME, "").data)[:4]
    assert row == ["text", "", "", ""]


def test_verdicts_are_badges_and_sentences_wrap() -> None:
    frame = pd.DataFrame({"verdict": ["pass", "not available", "fail"], "why": ["a", "b", "c"]})
    html = table(frame, "", verdicts=["verdict"], wide=["why"]).data
    assert cells(html) == ["pass", "a", "not available", "b", "fail", "c"]
    assert re.findall(r'class="badge ([a-z-]+)"', html) == ["pass", "not-available", "fail"]
    assert re.findall(r'<td class="(.*?)">', html) == ["text", "text wide"] * 3


def test_an_interval_breaks_off_its_number_whole_and_nowhere_else() -> None:
    frame = pd.DataFrame({"b": ["0.1 [0.05, 0.2]", "–"], "on": ["50% (hot <4> tokens)", "one-sided, (a) b"]})
    html = table(frame, "").data
    assert re.findall(r"<td.*?</td>", html) == [
        '<td class="text parts"><span>0.1</span> <span>[0.05, 0.2]</span></td>',
        '<td class="text parts"><span>50%</span> <span>(hot &lt;4&gt; tokens)</span></td>',
        '<td class="text">–</td>',
        '<td class="text">one-sided, (a) b</td>',
    ]


def test_only_a_table_of_many_columns_is_set_close() -> None:
    assert ["dense" in table(pd.DataFrame([range(n)]), "").data.partition("</style>")[2] for n in (14, 15)] == [
        False,
        True,
    ]


def test_a_word_that_is_no_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="maybe"):
        table(pd.DataFrame({"verdict": ["maybe"]}), "", verdicts=["verdict"])


@pytest.mark.parametrize(
    "made", [lambda: table(FRAME, "c"), lambda: gates([Gate.judge("x", passed=True, value=1.0, condition="c")])]
)
def test_fragments_are_the_same_every_time_and_load_nothing(made) -> None:
    assert made().data == made().data
    assert not re.search(r"<script|https?://|\bid=", made().data)


def test_gates_show_verdict_number_and_reason() -> None:
    judged = [
        Gate.judge("rates", passed=True, value=0.00041, condition="≤ 0.001"),
        Gate.judge("S4", passed=None, value=None, condition="DCC", reason="87 tail samples, 100 needed"),
        Gate.judge("S3", passed=False, value="0.61 wide", condition="≤ 0.5"),
    ]
    rows = cells(gates(judged).data)
    assert rows[:5] == ["pass", "rates", "0.00041", "≤ 0.001", ""]
    assert rows[5:10] == ["not available", "S4", "–", "DCC", "87 tail samples, 100 needed"]
    assert rows[10:14] == ["fail", "S3", "0.61 wide", "≤ 0.5"]


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_gate_without_a_number_is_never_passed(value) -> None:
    gate = Gate.judge("x", passed=True, value=value, condition="c", reason="why")
    assert gate.verdict is Verdict.NOT_AVAILABLE
    assert not gate.passed
    assert gate.as_dict() == {"name": "x", "value": None, "condition": "c", "verdict": "not available", "reason": "why"}


def test_a_picture_is_embedded_with_its_caption() -> None:
    html = picture(Rendered(pdf=b"", png=b"\x89PNG", caption='a < b & "c"')).data
    assert base64.b64encode(b"\x89PNG").decode() in html
    assert "<figcaption>a &lt; b &amp; &quot;c&quot;</figcaption>" in html


def test_a_long_caption_is_shown_to_its_first_full_stop_and_the_rest_can_be_opened() -> None:
    more = "How to read it. And " + "more " * 80
    html = picture(Rendered(pdf=b"", png=b"", caption=f"What is seen. {more}")).data
    assert f"<figcaption>What is seen.<details><summary>how to read it</summary>{more}</details>" in html
    assert "<figcaption>Short. And whole.</figcaption>" in picture(Rendered(b"", b"", "Short. And whole.")).data


def test_a_picture_leads_to_its_files_and_to_what_it_was_drawn_from() -> None:
    files, sources = (Link("PNG", "../figs/f.png"),), (Link("t.csv", "../t.csv", "rows <at> g*"),)
    html = picture(Rendered(pdf=b"", png=b"", caption="c", files=files, sources=sources)).data
    assert re.search(r'<a href="\.\./figs/f\.png"><img ', html)
    assert '<a href="../t.csv">t.csv</a> (rows &lt;at&gt; g*)' in html


def test_cells_captions_and_folded_tables_hold_links() -> None:
    frame = pd.DataFrame({"run": [Link("R & D", "../../R/a%20b.csv"), None]})
    html = table(frame, "What <it> is", source=Link("a.csv", "../a.csv"), folded=True).data
    assert '<a href="../../R/a%20b.csv">R &amp; D</a>' in html
    assert "<summary>What &lt;it&gt; is</summary>" in html
    assert "<caption>" in html.partition("</summary>")[2]
    assert '<a href="../a.csv">a.csv</a>' in html.partition("</summary>")[2]


@pytest.mark.parametrize(
    ("value", "words"), [(np.float32(0.25), "0.25"), (np.bool_(True), "yes"), (7, "7"), ("w", "w")]
)
def test_values_in_words(value, words) -> None:
    assert shown(value, 4) == words

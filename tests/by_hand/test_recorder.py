"""What the recorder keeps, beside what a front-end got of the same cells."""

from __future__ import annotations

import json

import pytest
from kernel import Output, run_cells

BEGIN = "from critnb.pipeline.by_hand.recorder import Recorder\nrecorder = Recorder.of_this_kernel()"
CELLS = {
    "nothing": "x = 1",
    "prints": "print('a')\nprint('b')",
    "both streams": "import sys, time\nprint('out')\nsys.stdout.flush()\ntime.sleep(0.3)\nprint('err', file=sys.stderr)",
    "a result": "{'a': x}",
    "a result after a print": "print('before')\nx + 1",
    "rich": "from IPython.display import HTML, display\ndisplay(HTML('<b>1</b>'))\nHTML('<i>2</i>')",
    "a picture": "from IPython.display import Image\nImage(data=bytes(range(256)), format='png')",
    "updated": "handle = display('old', display_id='one')\nhandle.update('new')",
    "updated from another cell": "handle.update('newer')",
    "cleared": "from IPython.display import clear_output\nprint('gone')\nclear_output()\nprint('stays')",
    "cleared with the next": "print('gone')\nclear_output(wait=True)\nprint('stays')",
    "from a thread": "import threading\nt = threading.Thread(target=lambda: print('from a thread'))\nt.start()\nt.join()",
    "an error": "print('so far')\n1 / 0",
    "the same text again": "x = 1",
}
READ = "import json\nprint(json.dumps([[e.code, e.outputs] for e in recorder.executions()]))"


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> tuple[list[list[Output]], list[tuple[str, list[Output]]]]:
    """What the front-end got of the cells, and what the recorder kept of the same cells."""
    *shown, last = run_cells([BEGIN, *CELLS.values(), READ], cwd=tmp_path_factory.mktemp("cwd"))
    return shown, json.loads(last[0]["text"])


@pytest.mark.parametrize("place", range(len(CELLS)), ids=CELLS)
def test_what_is_kept_of_a_cell_is_what_the_front_end_shows(both, place):
    shown, kept = both
    code, outputs = kept[place + 1]
    assert code == list(CELLS.values())[place]
    # a client numbers results; the recorder's are numbered with the cells of the notebook that is kept
    assert [_without_count(output) for output in outputs] == [_without_count(output) for output in shown[place + 1]]


def _without_count(output: Output) -> Output:
    return {name: value for name, value in output.items() if name != "execution_count"}


def test_the_cell_that_begins_and_the_running_one_are_there(both):
    _, kept = both
    assert [code for code, _ in kept] == [BEGIN, *CELLS.values(), READ]
    assert kept[-1][1] == []


def test_lines_that_pass_are_shown_and_not_kept(tmp_path):
    shown = run_cells(
        [
            f"{BEGIN}\nfrom critnb.pipeline.by_hand.notebook_kernel import Line\nline = Line('10 %')\nprint('kept')",
            "line.show('20 %')",
            READ,
        ],
        cwd=tmp_path,
    )
    assert [output["data"]["text/plain"] for output in shown[0] if output["output_type"] == "display_data"] == ["20 %"]
    assert [outputs for _, outputs in json.loads(shown[2][0]["text"])] == [
        [{"output_type": "stream", "name": "stdout", "text": "kept\n"}],
        [],
        [],
    ]


def test_a_closed_recorder_keeps_no_more_and_lets_everything_pass(tmp_path):
    shown = run_cells([BEGIN, "recorder.close()", "print('seen')", READ], cwd=tmp_path)
    assert shown[2][0]["text"] == "seen\n"
    assert [code for code, _ in json.loads(shown[3][0]["text"])] == [BEGIN, "recorder.close()"]


def test_outside_of_a_kernel_there_is_nothing_to_record():
    from critnb.pipeline.by_hand.recorder import Recorder

    assert Recorder.of_this_kernel() is None

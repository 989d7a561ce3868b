"""The outputs that a running kernel shows under each cell, kept as the front-end gets them.

A notebook's outputs live with the front-end, and the file on disk has them only once somebody saves it. So the messages
are read where they leave the kernel: every output passes through the kernel's one ``Session``, with the request that it
answers.
"""

from __future__ import annotations

import contextlib
import copy
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

Output = dict[str, Any]

# An output with this in its metadata is shown to the person who waits, and is not kept.
PASSING = "critnb_passing"
_SHOWN = ("stream", "display_data", "execute_result", "error")
_FIELDS = {
    "stream": ("name", "text"),
    "display_data": ("data", "metadata"),
    "execute_result": ("data", "metadata", "execution_count"),
    "error": ("ename", "evalue", "traceback"),
}


@dataclass
class Execution:
    """One execution of a cell: its code, and what it has shown so far."""

    code: str
    outputs: list[Output] = field(default_factory=list)
    clear_first: bool = False

    def add(self, kind: str, content: Mapping[str, Any]) -> Output | None:
        """Keep a shown message as an output and return that; None where the message continued a stream."""
        if self.clear_first:
            self.outputs.clear()
            self.clear_first = False
        last = self.outputs[-1] if self.outputs else {}
        if kind == "stream" and (last.get("output_type"), last.get("name")) == (kind, content["name"]):
            last["text"] += content["text"]
            return None
        # the sender may change the message afterwards
        output = {"output_type": kind, **{name: copy.deepcopy(content.get(name)) for name in _FIELDS[kind]}}
        if "metadata" in output:
            output["metadata"] = output["metadata"] or {}
        self.outputs.append(output)
        return output


class Recorder:
    """Keeps code and outputs of every cell that a kernel executes from now on, the running one included."""

    def __init__(self, kernel: Any) -> None:
        """Begin to listen to an ipykernel ``Kernel``, in a cell that it executes."""
        self._kernel = kernel
        self._session = kernel.session
        self._send = kernel.session.send
        self._lock = threading.Lock()
        self._executions: dict[str, Execution] = {}
        self._displays: dict[str, list[Output]] = {}
        self._session.send = self._tapped
        self._begun()
        kernel.shell.events.register("pre_run_cell", self._begun)

    @classmethod
    def of_this_kernel(cls) -> Self | None:
        """Return a recorder of the kernel that runs this code; None where none does."""
        if "ipykernel" not in sys.modules:
            return None
        from IPython import get_ipython

        kernel = getattr(get_ipython(), "kernel", None)
        return None if kernel is None else cls(kernel)

    def close(self) -> None:
        """Stop listening."""
        self._session.send = self._send
        self._kernel.shell.events.unregister("pre_run_cell", self._begun)

    def executions(self) -> Sequence[Execution]:
        """Return what was executed since this recorder began, in that order; the running cell is the last."""
        # what was printed is on its way in another thread
        sys.stdout.flush()
        sys.stderr.flush()
        with self._lock:
            return copy.deepcopy(list(self._executions.values()))

    def _begun(self, *_: Any) -> None:
        request = self._kernel.get_parent("shell")
        with self._lock:
            self._executions[request["header"]["msg_id"]] = Execution(str(request["content"].get("code", "")))

    def _tapped(self, stream: Any, msg_or_type: Any, content: Any = None, parent: Any = None, **more: Any) -> Any:
        # a message in another form than Jupyter's is not recorded; it must be sent all the same
        with contextlib.suppress(KeyError, TypeError, AttributeError):
            self._take(msg_or_type, content, parent)
        return self._send(stream, msg_or_type, content, parent=parent, **more)

    def _take(self, message: Any, content: Any, parent: Any) -> None:
        if isinstance(message, Mapping):
            kind, content, parent = message["msg_type"], message["content"], message["parent_header"]
        else:
            kind, parent = message, (parent or {}).get("header", parent)
        if kind not in (*_SHOWN, "update_display_data", "clear_output") or not parent:
            return
        with self._lock:
            execution = self._executions.get(parent["msg_id"])
            if execution is not None:
                self._keep(execution, str(kind), content)

    def _keep(self, execution: Execution, kind: str, content: Mapping[str, Any]) -> None:
        if PASSING in (content.get("metadata") or {}):
            return
        name = (content.get("transient") or {}).get("display_id")
        if kind == "clear_output":
            execution.clear_first = bool(content["wait"])
            if not content["wait"]:
                execution.outputs.clear()
        elif kind == "update_display_data":
            for shown in self._displays.get(str(name), ()):
                shown.update(data=copy.deepcopy(content["data"]), metadata=copy.deepcopy(content["metadata"]))
        else:
            output = execution.add(kind, content)
            if name and output is not None:
                self._displays.setdefault(name, []).append(output)

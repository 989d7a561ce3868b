"""Too little memory: what says so, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from critnb.pipeline.memory import is_out_of_memory, may_be_out_of_memory, said_of_memory, with_less_memory

# as torch says it of a card
OF_A_CARD = (
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which 3.02 GiB is free.\n"
    "If reserved but unallocated memory is large try setting PYTORCH_ALLOC_CONF=expandable_segments:True"
)


def raised(work) -> tuple[str, str]:
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        work()
    return type(caught.value).__name__, str(caught.value)


@pytest.mark.parametrize("work", [lambda: np.empty(2**56), lambda: torch.empty(2**56), lambda: bytes(2**60)])
def test_what_libraries_raise_is_recognised(work):
    name, message = raised(work)
    assert is_out_of_memory(name, message)
    assert "\n" not in said_of_memory(name, message)
    assert "alloc_cpu.cpp" not in said_of_memory(name, message)


def test_a_card_that_is_full():
    assert issubclass(torch.OutOfMemoryError, RuntimeError)
    name = torch.OutOfMemoryError.__name__
    assert is_out_of_memory(name, "")
    assert said_of_memory(name, OF_A_CARD) == f"OutOfMemoryError: {OF_A_CARD.splitlines()[0]}"
    assert is_out_of_memory("AcceleratorError", "CUDA error: out of memory")
    assert is_out_of_memory(
        "RuntimeError", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
    )


def test_a_death_by_the_system_s_hand():
    assert may_be_out_of_memory("the notebook's kernel died, killed by SIGKILL; it may have run out of memory")
    assert may_be_out_of_memory("The exit codes of the workers are {SIGKILL(-9)}")
    assert not may_be_out_of_memory("The exit codes of the workers are {SIGSEGV(-11)}")


def test_other_errors_are_not():
    assert not is_out_of_memory("RuntimeError", "mat1 and mat2 shapes cannot be multiplied")
    assert not is_out_of_memory("KeyError", "'MemoryError'")


@pytest.mark.parametrize(
    ("tokens", "length", "half"),
    [(4096, 256, 2048), (1000, 256, 256), (512, 256, 256), (513, 256, 256), (4096, 3000, None)],
)
def test_half_a_batch_is_whole_windows(tokens, length, half):
    said = with_less_memory({"compute": {"batch_tokens": tokens}, "windows": {"seq_len": length}})
    assert (f"compute.batch_tokens={half} instead of {tokens}" in said) is (half is not None)
    assert ("one window already" in said) is (half is None)
    assert said.endswith("makes other runs")


def test_questions_have_no_windows_and_tables_no_batches():
    assert "compute.batch_tokens=2048 instead of 4096" in with_less_memory({"compute": {"batch_tokens": 4096}})
    assert with_less_memory({"analysis": {}}) == "with more memory --allow-resume goes on"


@pytest.mark.parametrize(
    ("weights", "asked", "free", "named"),
    [
        (15, 20, 3, 2048),  # 81 GiB needed, 64 there: 0.63 of a batch, so half of it
        (15, 120, 3, 1024),  # 181 needed, 64 there: with a fifth to spare 0.28 of 16 windows
        (75, 60, 1, 256),  # 63 needed, 4 there: not even a window, and there is nothing smaller
        (90, 20, 3, 2048),  # the weights alone are larger: some lie elsewhere, and nothing follows
    ],
)
def test_a_card_s_numbers_say_how_much_of_a_batch_fits(weights, asked, free, named):
    message = (
        f"CUDA out of memory. Tried to allocate {asked}.00 GiB. GPU 0 has a total capacity of 79.00 GiB of which "
        f"{free * 1024}.00 MiB is free.\nProcess 12 has 3 GiB memory in use."
    )
    config = {"compute": {"batch_tokens": 4096}, "windows": {"seq_len": 256}}
    said = with_less_memory(config, message, weights * 2**30)
    assert f"compute.batch_tokens={named} instead of 4096" in said
    assert said.endswith("makes other runs")
    assert "\n" not in said

"""Freed memory is used again: counted in page faults of a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from riqa.learn.memory import give_back_freed_memory, keep_freed_memory

COUNT = """
import resource
import sys
import torch
from riqa.learn.memory import keep_freed_memory
if sys.argv[1] == "kept" and not keep_freed_memory():
    sys.exit(3)
make = lambda: [torch.ones(3 * 2**19) for _ in range(7)]  # 6 MiB each, 10,752 pages in all
for _ in range(5):  # until the heap has grown
    make()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(40):
    make()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how):
    return subprocess.run([sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=False)


def test_freed_memory_is_used_again_where_the_c_library_can():
    kept = page_faults("kept")
    if kept.returncode == 3:
        pytest.skip("this C library has no such setting")
    assert int(kept.stdout) < int(page_faults("given back").stdout) / 4


HUGE_PAGES = """
import riqa.learn
import torch
array = torch.ones(64 * 2**20)  # 256 MiB
(line,) = [line for line in open("/proc/self/smaps_rollup") if line.startswith("AnonHugePages")]
print(int(line.split()[1]) // 1024)
"""
GRANTED = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.skipif(
    not GRANTED.is_file() or "[madvise]" not in GRANTED.read_text(),
    reason="needs a Linux that grants on request",
)
@pytest.mark.parametrize(("asked", "least", "most"), [("1", 128, 256), ("0", 0, 0)])
def test_large_arrays_ask_for_large_pages_unless_told_otherwise(asked, least, most):
    """Half of them will do: a system that is short of whole pages grants fewer."""
    given = {**os.environ, "THP_MEM_ALLOC_ENABLE": asked}
    if asked == "1":  # what riqa.learn sets by itself
        del given["THP_MEM_ALLOC_ENABLE"]
    command = [sys.executable, "-c", HUGE_PAGES]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=given)
    assert least <= int(done.stdout) <= most


GIVE_BACK = """
import os
from riqa.learn.memory import give_back_freed_memory
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")
pieces = [bytes(60_000) for _ in range(5000)]  # 300 MB, in pieces that are kept
last = bytes(60_000)
full = resident()
del pieces
kept = resident()
give_back_freed_memory()
print(full - kept, full - resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_freed_memory_is_handed_back_when_asked():
    command = [sys.executable, "-c", GIVE_BACK]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after > 200e6
    assert before < after


def test_a_c_library_without_the_setting_changes_nothing(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert keep_freed_memory() is False
    assert give_back_freed_memory() is False

import subprocess
import sys

import psutil
import pytest

from riqa.files import read_json
from riqa.publish import processes
from riqa.publish.processes import attend, stop_family, stop_noted, watching
from tests.publish.toy import until

# A parent that ignores SIGTERM, and its child.
FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
HOLD = "block = bytearray(300_000_000); import time; print('held', flush=True); time.sleep(20)"


def ended(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("itself", [True, False])
def test_a_stubborn_process_ends_with_its_children_or_they_alone(itself):
    parent = subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    stop_family(psutil.Process(parent.pid), patience=1.0, itself=itself)
    until(lambda: ended(child), seconds=5)
    assert ended(parent.pid) == itself
    parent.kill()
    parent.wait()


def test_a_command_is_followed_to_its_end_and_ends_with_who_follows_it(tmp_path):
    log, note, looks = tmp_path / "logs" / "log", tmp_path / "note.json", []

    def look():
        looks.append(read_json(note)["pid"])

    assert attend([sys.executable, "-c", "print('said'); exit(3)"], log, look, note) == 3
    assert log.read_text() == "said\n"
    assert looks
    assert not note.exists()
    stop_noted(note)  # nothing is left to end

    def interrupt():
        look()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attend([sys.executable, "-c", "import time; time.sleep(60)"], log, interrupt, note)
    assert ended(looks[-1])


def test_memory_of_children_counts(monkeypatch):
    monkeypatch.setattr(processes, "WATCH_EVERY", 0.05)
    with watching() as seen:
        until(lambda: seen.peak_bytes)
        alone = seen.peak_bytes
        child = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE)
        child.stdout.readline()
        until(lambda: seen.peak_bytes - alone > 280e6, seconds=15)
        child.kill()
        child.wait()
    assert seen.peak_bytes - alone < 400e6

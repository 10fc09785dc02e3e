import subprocess
import sys
import time

import psutil

from riqa.publish.processes import stop_family

# A parent that ignores SIGTERM, and its child.
FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def start():
    parent = subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, text=True)
    return parent, int(parent.stdout.readline())


def ended(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_stubborn_process_ends_with_its_children():
    parent, child = start()
    stop_family(psutil.Process(parent.pid), patience=0.5)
    assert ended(parent.pid)
    assert ended(child)


def test_a_process_can_be_left_alone():
    parent, child = start()
    stop_family(psutil.Process(parent.pid), patience=1.0, itself=False)
    deadline = time.time() + 5
    while not ended(child) and time.time() < deadline:
        time.sleep(0.05)
    assert ended(child)
    assert parent.poll() is None
    parent.kill()
    parent.wait()

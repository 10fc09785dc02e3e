import subprocess
import sys
import time

from riqa.publish import watch
from riqa.publish.watch import Watch

HOLD = "block = bytearray(300_000_000); import time; print('held', flush=True); time.sleep(20)"


def test_memory_of_children_counts(monkeypatch):
    monkeypatch.setattr(watch, "EVERY", 0.05)
    with Watch() as seen:
        time.sleep(0.3)
        alone = seen.peak_bytes
        child = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(0.5)
        child.kill()
        child.wait()
    assert alone > 0
    assert 280e6 < seen.peak_bytes - alone < 400e6


def test_a_chapter_ends_when_its_build_is_gone(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    program = f"""
import time
from riqa.publish import watch
watch.EVERY = 0.1
with watch.Watch({gone.pid}):
    time.sleep(30)
"""
    begun = time.time()
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 1
    assert time.time() - begun < 60

"""What a stranger may give: bad inputs made by a seed, one after the other, each judged by how it ends.

Every input is given to the command that reads it, beside good ones where there can be some. It passes if
the command ends with an exit code that it may have, if whatever it says is a line and no traceback, if what
it prints and writes can be read, and if one bad file has cost no answer about a good one.

Run: make bad-inputs
"""

import argparse
import ctypes
import io
import json
import os
import re
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

os.environ["OMP_NUM_THREADS"] = "1"  # and no thread is started in this process, which forks

from benchmarks.bad_input_kinds import KINDS
from benchmarks.bad_input_lab import Case, Lab, furnish

LIMIT = 120  # seconds after which a command counts as hanging
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2  # Linux capabilities by which a superuser is refused no file


def obey_permissions() -> None:
    """Let permissions of files bind this process and its children, a superuser's too."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if libc.capget(header, data):
        return  # no such thing here, so nobody is above permissions
    for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP: not even after exec
        for k in range(3):
            data[k] &= ~(1 << capability)
    libc.capset(header, data)


def run_apart(work: Callable[[], None], told: Path) -> int | None:
    """Run something, which may end by `sys.exit`, in a forked process, with its output in files.

    `told` is the stem of the files ``.out`` and ``.err``. Returns the exit code, negative for a signal, or
    None if it hung.
    """
    child = os.fork()
    if child == 0:
        code = 70
        try:
            for number, ending in ((1, ".out"), (2, ".err")):
                os.dup2(os.open(f"{told}{ending}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), "utf-8", "strict")
            sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False), "utf-8", "backslashreplace")
            obey_permissions()
            work()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    began = time.monotonic()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() - began > LIMIT:  # asked last: this process may have been stopped meanwhile
            break
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def flaws(case: Case, code: int | None, out: str, err: str) -> Iterator[str]:
    """Say what is wrong with how a command ended; nothing, if nothing is."""
    if code is None:
        yield f"hangs for more than {LIMIT} s"
        return
    if code not in case.codes:
        yield f"exit code {code}, may be {sorted(case.codes)}"
    if "Traceback" in out + err or "Error: " in err.replace("InputError: ", ""):
        yield "a traceback"
    if code == 2 and not ("Usage:" in err or re.search(r"^riqa: .+", err, re.MULTILINE)):
        yield "exit code 2 without a line that says why"
    if code == 2 and len([line for line in err.splitlines() if line.startswith("riqa: ")]) > 2:
        yield "more than two lines"
    try:
        yield from case.judge(code, out, err)
    except Exception as error:
        yield f"what it printed or wrote cannot be read: {type(error).__name__} {error}"
    for path in case.folder.rglob(".partial-*"):
        yield f"left half-written: {path.name}"


def try_inputs(count: int, seed: int, show: Callable[[str], None] = print) -> Counter:
    """Make inputs in turn of each kind, run them, and count them by (kind, whether it passed)."""
    import riqa.cli

    # What the commands import late is imported once, before forking.
    from riqa.assess import answers, page  # noqa: F401
    from riqa.data import adapters, audit, curate  # noqa: F401
    from riqa.learn import plan_file, runs  # noqa: F401
    from riqa.publish import rerun  # noqa: F401

    tally: Counter = Counter()
    with tempfile.TemporaryDirectory(prefix="riqa-bad-inputs-") as name:
        folder = Path(name)
        lab = Lab(folder / "lab")
        if run_apart(lambda: furnish(lab), folder / "lab_told") != 0:
            raise SystemExit((folder / "lab_told.err").read_text())
        for number in range(count):
            kind = list(KINDS)[number % len(KINDS)]
            rng = np.random.default_rng([seed, number])
            place = folder / str(number)
            place.mkdir()
            case = KINDS[kind](rng, place, lab)
            told = folder / f"{number}_told"

            def command(case: Case = case) -> None:
                os.chdir(case.cwd or case.folder)
                riqa.cli.main([os.fsdecode(part) for part in case.arguments])

            code = run_apart(command, told)
            written = (Path(f"{told}{ending}").read_bytes() for ending in (".out", ".err"))
            out, err = (said.decode("utf-8", "surrogateescape") for said in written)
            wrong = list(flaws(case, code, out, err))
            tally[kind, not wrong] += 1
            if wrong:
                last = (err.strip().splitlines() or [""])[-1][:200]
                show(f"{number} {kind}: {case.what}: {'; '.join(wrong)} | {last!r}")
            case.tidy()
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="inputs")
    parser.add_argument("--seed", type=int, default=0, help="of all inputs")
    given = parser.parse_args()
    began = time.perf_counter()
    tally = try_inputs(given.count, given.seed)
    for kind in KINDS:
        print(f"{kind:12} {tally[kind, True]:4} passed, {tally[kind, False]:3} failed")
    failed = sum(n for (_, passed), n in tally.items() if not passed)
    seconds = time.perf_counter() - began
    print(f"{given.count} bad inputs, seed {given.seed}: {failed} failed, {seconds:.0f} s")
    print(json.dumps({"count": given.count, "seed": given.seed, "failed": failed}))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

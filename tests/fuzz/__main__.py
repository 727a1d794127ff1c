"""Fuzzing for a time: `python tests/fuzz [NAME...] [--seconds N] [--seed N]`.

Every input is run with a limit of time and of memory.  One that ends in anything but a `PolicyError` is written to
build/fuzz and reported; the exit code is 1 then.  The same seed gives the same inputs.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from random import Random

from fuzzed import FUZZED, Fuzzed, survives
from mutations import mutate

LONGEST = 30
"""Seconds of work that one input may take."""

SLOW = 5
"""Seconds of work from which on an input is kept, to be looked at."""

MOST_MEMORY = 1 << 30

FOUND = Path("build/fuzz")


class Hang(BaseException):
    """An input took too long.  No `Exception`, so that nothing catches it on its way."""


def main() -> int:
    """Fuzzes what the arguments name, by default everything; the exit code."""
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description="Fuzz what reads the input of strangers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FUZZED))
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS") or 5), help="for each")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    signal.signal(signal.SIGVTALRM, _hang)
    failures = sum(fuzz(name, arguments.seconds, arguments.seed) for name in arguments.names or FUZZED)
    return 1 if failures else 0


def fuzz(name: str, seconds: float, seed: int) -> int:
    """Fuzzes one thing; how many inputs of different kinds it did not survive."""
    fuzzed, random = FUZZED[name], Random(seed)
    end, count, slowest = time.monotonic() + seconds, 0, 0.0
    failures: set[str] = set()
    while time.monotonic() < end:
        data = mutate(random, fuzzed.corpus, fuzzed.words, is_text=fuzzed.is_text)
        begin = time.process_time()
        failure = run_one(fuzzed, data)
        slowest = max(slowest, time.process_time() - begin)
        count += 1
        if time.process_time() - begin > SLOW:
            keep(name, count, data)
        if failure and failure not in failures:
            failures.add(failure)
            report(name, count, failure, data)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{name}: {count} inputs, {len(failures)} failures, slowest {slowest:.1f} s, peak memory {peak} MiB")
    return len(failures)


def run_one(fuzzed: Fuzzed, data: bytes) -> str:
    """Where and how `data` ended in anything but a `PolicyError`; empty when it did not."""
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
    try:
        survives(fuzzed, data)
    except (Exception, Hang) as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = "" if isinstance(error, Hang | MemoryError | RecursionError) else f"{last.filename}:{last.lineno} "
        return f"{where}{type(error).__name__}: {str(error)[:100]}"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return ""


def report(name: str, count: int, failure: str, data: bytes) -> None:
    """Says what happened, and keeps the input."""
    print(f"{name}: {failure} (input {keep(name, count, data)}, {len(data)} bytes)", file=sys.stderr)


def keep(name: str, count: int, data: bytes) -> Path:
    """Writes an input to a file; its path."""
    FOUND.mkdir(parents=True, exist_ok=True)
    path = FOUND / f"{name}-{count}"
    path.write_bytes(data)
    return path


def _hang(_signal: int, _frame: object) -> None:
    raise Hang(f"more than {LONGEST} seconds")


if __name__ == "__main__":
    sys.exit(main())

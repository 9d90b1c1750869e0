"""The runner: hands inputs to workers, counts how they end, and lists the findings."""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from campaign.cases import chosen, found
from campaign.judge import KINDS
from campaign.worker import LIMIT

PATIENCE = 420  # seconds for a worker's answer: it has a limit of its own for each input
LAST_LINES = 6
TESTS = Path(__file__).parents[1]
# Other parts of the campaign: modules with ``campaign(seed, say) -> (line, findings)``.
PARTS = ("kills", "power_cuts", "clusters")

Answer = dict[str, Any]


class Worker:
    """A process that tries inputs; it is started again when it dies."""

    def __init__(self, folder: Path, limit: float) -> None:
        self.folder, self.limit = folder, limit
        self.current = ""
        self.since = 0.0
        self.start()

    def start(self) -> None:
        """Begin a process; it is ready when it has imported everything."""
        command = [sys.executable, "-m", "campaign.worker", str(self.folder), str(self.limit)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=TESTS,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def give(self, identity: str) -> None:
        """Hand over an input."""
        assert self.process.stdin is not None
        self.current, self.since = identity, time.monotonic()
        with suppress(BrokenPipeError):  # noticed when there is no answer
            self.process.stdin.write(f"{identity}\n")
            self.process.stdin.flush()

    def answer(self) -> Answer:
        """Return what became of the input; a worker that died is a fault of the campaign."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            found: Answer = json.loads(line)
            return found
        return self.lost(f"the worker ended with code {self.process.wait()}")

    def lost(self, why: str) -> Answer:
        """Start anew, and return what is said about the input that this one was lost with."""
        self.stop()
        self.start()
        return {
            "id": self.current, "command": "-", "kind": "silent", "why": why, "unforeseen": "",
            "errors": "", "output": "", "seconds": 0.0, "preparing": 0.0, "peak": 0, "code": None,
        }  # fmt: skip

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def answers(
    identities: Sequence[str], count: int, folder: Path, limit: float = LIMIT
) -> Iterator[Answer]:
    """Yield what became of every input, in the order in which they end."""
    workers = [Worker(folder, limit) for _ in range(min(count, len(identities)))]
    left = iter(identities)
    try:
        for worker in workers:
            worker.give(next(left))
        while busy := [worker for worker in workers if worker.current]:
            pipes = {worker.process.stdout: worker for worker in busy}
            ready, _, _ = select.select(list(pipes), [], [], 5)
            overdue = [w for w in busy if time.monotonic() - w.since > PATIENCE]
            for worker in dict.fromkeys([*(pipes[pipe] for pipe in ready), *overdue]):
                late = worker.process.stdout not in ready
                yield worker.lost("the worker did not answer") if late else worker.answer()
                worker.current = ""
                with suppress(StopIteration):
                    worker.give(next(left))
    finally:
        for worker in workers:
            worker.stop()


def described(answer: Answer) -> str:
    """Return what is said about a finding."""
    lines = (answer["errors"] or answer["output"]).rstrip().splitlines()[-LAST_LINES:]
    shown = "\n".join(f"    {ascii(line)[1:-1][:300]}" for line in lines)
    head = f"{answer['id']}: {answer['kind']}: {answer['why']}"
    return f"{head}\n    $ {answer['command'][:600]}\n{shown}"


def tally(counts: Counter[str], total: int) -> str:
    """Return the line of the table about inputs."""
    return f"inputs {total}: " + ", ".join(f"{kind} {counts[kind]}" for kind in KINDS)


def other_parts(options: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """Yield the line of the table and the findings of each other part there is."""
    for module in PARTS:
        try:
            part = import_module(f"campaign.{module}")
        except ModuleNotFoundError as error:
            if error.name != f"campaign.{module}":
                raise
            continue
        if options.only in ("", module):
            yield part.campaign(options.seed, print)


def run(options: argparse.Namespace) -> int:
    """Run the campaign and print its table; returns the exit code."""
    identities = options.again or chosen(options.inputs, options.seed, options.only)
    folder = options.stock or Path(tempfile.mkdtemp(prefix="ferc-stock-"))
    folder.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    findings, unforeseen, slow = [], [], []
    begun = time.monotonic()
    try:
        for answer in answers(identities, options.workers, folder.resolve(), options.limit):
            counts[answer["kind"]] += 1
            if options.record:
                with options.record.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(answer) + "\n")
            slow.append((answer["seconds"] + answer["preparing"], answer["id"]))
            if answer["unforeseen"]:
                unforeseen.append(answer)
            if answer["why"] or options.again:
                findings.append(answer)
                print(described(answer), flush=True)
            done = sum(counts.values())
            if done % 100 == 0:
                print(f"{done} of {len(identities)}, {time.monotonic() - begun:.0f} s", flush=True)
    finally:
        if not options.stock:
            shutil.rmtree(folder, ignore_errors=True)
    show_unforeseen(unforeseen)
    for seconds, identity in sorted(slow, reverse=True)[: options.times]:
        print(f"{seconds:6.1f} s  {identity}")
    lines, more = [], []
    for line, faults in [] if options.again else other_parts(options):
        lines.append(line)
        more += faults
    if more:
        print("\n".join(more))
    print("\n".join([tally(counts, len(identities)), *lines]))
    wrong = [answer for answer in findings if answer["why"]]
    return int(bool(wrong or more or (options.strict and unforeseen)))


def show_unforeseen(answers: list[Answer]) -> None:
    """List the sentences of the last net: of errors that have none of their own, by their words."""
    groups: dict[str, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(answer["unforeseen"][:90], []).append(answer)
    if groups:
        print(f"\nsentences of errors that nobody foresaw: {len(answers)}, of {len(groups)} kinds")
    for group in sorted(groups.values(), key=len, reverse=True):
        first = group[0]
        print(f"{len(group):4}  {first['id']}: {ascii(first['unforeseen'])[1:300]}")


def main() -> int:
    """Read the command line and run the campaign."""
    parser = argparse.ArgumentParser("python -m campaign", description=__doc__)
    parser.add_argument("--inputs", type=int, default=3000, help="how many inputs are tried")
    parser.add_argument("--seed", type=int, default=0, help="another number, other inputs")
    parser.add_argument(
        "--only", default="", help="cases with this in inputs/MODULE/NAME, or a part"
    )
    parser.add_argument("--again", nargs="+", metavar="ID", help="try these inputs again")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--stock", type=Path, help="folder for the good material, which is kept")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds of each input")
    parser.add_argument("--strict", action="store_true", help="fail for unforeseen errors, too")
    parser.add_argument("--record", type=Path, help="add every answer to this file, as JSON")
    parser.add_argument("--times", type=int, default=0, help="name the slowest inputs")
    parser.add_argument("--write", nargs=2, metavar=("ID", "DIR"), help="write an input, and stop")
    options = parser.parse_args()
    if options.write:
        return written(*options.write)
    return run(options)


def written(identity: str, where: str) -> int:
    """Write an input into a folder, to look at it; prints its command."""
    from campaign import stock

    folder = Path(where).resolve() / "work"
    for name in ("work", "outside", "cache"):
        (folder.parent / name).mkdir(parents=True)
    case, dice = found(identity)
    with tempfile.TemporaryDirectory() as kept:
        stock.FOLDER = Path(kept)
        print(case.write(folder, dice).command)
    return 0

"""The judge: how an input ended, and whether that is fine."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from campaign.cases import Asked

MEMORY = 2 << 30  # bytes that no input may take
LINES, WIDTH = 12, 4000  # the longest message that a person would still read
STOPPED = {128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGPIPE}
TOLD = ("ferc: warning:", "ferc: stopping")  # sentences that do not say how it ended
# Sentences of the last net, or with the name of an error of Python or a library in them.
UNFORESEEN = re.compile(r"shows the traceback|please report|\b[A-Z]\w*(Error|Exception): ")

# How an input ends: the first two are fine.
KINDS = (
    "sentences", "done", "tracebacks", "hangs", "silent", "memory over 2 GB", "code executed",
    "foreign files changed",
)  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """What is known of a command that was tried.

    code:     its exit code; negative for the signal that killed it, None where time was over
    peak:     bytes of memory that it held at most
    changed:  what it should not have changed or written
    executed: what it was made to do by a file: a marker that appeared, the network that was asked
    """

    code: int | None
    output: str
    errors: str
    peak: int
    seconds: float
    changed: tuple[str, ...] = ()
    executed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """One of KINDS, and where it is not fine, why; ``unforeseen`` is a sentence of the last net."""

    kind: str
    why: str = ""
    unforeseen: str = ""

    @property
    def fine(self) -> bool:
        """Whether it is no finding."""
        return not self.why


def judged(asked: Asked, ended: Ended) -> Verdict:
    """Return how a command ended."""
    if ended.executed:
        return Verdict("code executed", "; ".join(ended.executed))
    if ended.changed:
        return Verdict("foreign files changed", "; ".join(ended.changed[:5]))
    if ended.code is None:
        return Verdict("hangs", f"ended after {ended.seconds:.0f} s, or for its many threads")
    if ended.peak > MEMORY:
        return Verdict("memory over 2 GB", f"{ended.peak / 2**30:.1f} GB")
    if "Traceback (most recent call last)" in ended.errors or "leaked" in ended.errors:
        return Verdict("tracebacks", "a traceback is shown, or something leaked")
    if ended.code < 0 and not (asked.signal and -ended.code == asked.signal[0]):
        return Verdict("silent", f"killed by signal {-ended.code}")
    if ended.code == 0:
        refusal = "it had to be refused, and was done"
        return Verdict("silent", refusal) if asked.expect == "refused" else Verdict("done")
    return sentenced(asked, ended)


def sentenced(asked: Asked, ended: Ended) -> Verdict:
    """Return the verdict about a command that did not succeed."""
    assert ended.code is not None
    sentences = [line for line in ended.errors.splitlines() if ends_it(line)]
    last = sentences[-1] if sentences else ""
    if asked.expect == "done":
        return Verdict("silent", f"a good input was refused (exit {ended.code})")
    if ended.code not in {1, 2, *STOPPED} and ended.code >= 0:
        return Verdict("silent", f"exit code {ended.code}")
    if asked.stderr != "kept" or ended.code < 0 or ended.code == 128 + signal.SIGPIPE:
        return Verdict("sentences")  # nobody can read one
    if has_findings(asked, ended) or usage(ended):
        return Verdict("sentences")
    if len(sentences) != 1:
        return Verdict("silent", f"{len(sentences)} sentences (exit {ended.code})")
    message = ended.errors[ended.errors.index(last) :]
    if len(message.splitlines()) > LINES or len(message) > WIDTH:
        size = f"{len(message.splitlines())} lines, {len(message)} characters"
        return Verdict("silent", f"a sentence of {size}")
    if not all(c.isprintable() or c in "\n\t" for c in message):
        return Verdict("silent", "control characters are shown as they are")
    foreseen = "mine.py" in asked.arguments or not UNFORESEEN.search(last)  # or a plugin's own
    return Verdict("sentences", unforeseen="" if foreseen else last)


def ends_it(line: str) -> bool:
    """Whether a line is the sentence that a command ends with."""
    return line.startswith("ferc: ") and not line.startswith(TOLD)


def usage(ended: Ended) -> bool:
    """Whether the parser of the command line says what is wrong with it."""
    said = ("Usage:", "Error: ") if "Error" in ended.errors else ()
    return ended.code == 2 and ended.errors.lstrip().startswith(said)


def has_findings(asked: Asked, ended: Ended) -> bool:
    """Whether the command is one that reports findings, and did."""
    if ended.code != 1 or any(map(ends_it, ended.errors.splitlines())):
        return False
    checks = asked.arguments[:1] == ("verify",) or asked.arguments[:2] == ("data", "check")
    faults = asked.arguments[:1] == ("plugins",) and "fault" in ended.output.lower()
    return faults or (checks and bool(ended.output.strip()))

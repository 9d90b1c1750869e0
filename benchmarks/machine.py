"""The line above every table: on what it was measured.

python benchmarks/machine.py
"""

from __future__ import annotations

import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("ferc-core", "numpy", "numba", "opencv-python", "torch", "imagecorruptions-imaug")


def processor() -> str:
    """Return the name of the processor, as Linux knows it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def described() -> str:
    """Return date, processor, cores, and the versions of what is installed."""
    versions = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{date.today()}, {processor()}, {cores} cores; {', '.join(versions)}"


if __name__ == "__main__":
    print(described())

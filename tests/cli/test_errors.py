"""Whatever happens, a command ends with one sentence and an exit code, never with a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from helpers.commands import FERC, one_sentence
from helpers.runs import folder_of_faces

LONG = "x" * 300
NOT_UTF8 = os.fsdecode(b"a\xff")
BIG = "1" * 20

COMMAND = """
import sys
import typer
from ferc_core import Command, hookimpl
app = typer.Typer()
@app.command()
def odd():
    {body}
@hookimpl
def register_commands(register):
    register(Command("odd", app))
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero (ferc_odd.py:8); please report this"),
        ("sys.exit(3)", "it called sys.exit(3), which would have ended FER-C (ferc_odd.py:8)"),
        ("sys.exit()", "it called sys.exit(None)"),
        ("raise BaseException('a\\n\\x1b[31mb')", "BaseException: a \\u001b[31mb (ferc_odd.py:8)"),
        ("raise KeyboardInterrupt", "interrupted"),
        ("raise MemoryError", "memory ran out (MemoryError); use fewer"),
        ("odd()", "RecursionError: maximum recursion depth exceeded"),
        ("import numpy; numpy.zeros(3).reshape(2)", "(ferc_odd.py:8)"),
        ("raise ValueError('y' * 10_000)", "y...y"),
    ],
)
def test_what_nobody_foresaw_is_one_sentence_with_its_place(ferc, distribution, body, said):
    site = distribution("ferc-odd", COMMAND.format(body=body))
    done = ferc("odd", path=site)
    message = one_sentence(done, 130 if "Keyboard" in body else 1)
    assert said in message
    assert ("'ferc --debug ...' shows the traceback" in message) == ("please report" in message)
    assert len(done.stderr) < 1100
    assert "Traceback" in ferc("--debug", "odd", path=site).stderr or "Keyboard" in body


def test_the_exit_code_of_a_command_is_its_own(ferc, distribution):
    done = ferc("odd", path=distribution("ferc-odd", COMMAND.format(body="raise typer.Exit(7)")))
    assert (done.returncode, done.stderr) == (7, "")


def test_a_command_of_a_plugin_is_stopped_cleanly(ferc, distribution):
    body = """import os, signal
    try: os.kill(os.getpid(), signal.SIGINT)
    finally: print("in order")"""
    done = ferc("odd", path=distribution("ferc-odd", COMMAND.format(body=body)))
    assert (done.returncode, done.stdout) == (130, "in order\n")
    assert done.stderr.endswith("ferc: interrupted; rerun the command to resume\n")


def test_a_signal_that_comes_at_the_end_of_an_object_is_heard(ferc_process, distribution):
    body = """import os, signal, time
    class Odd:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(100): pass  # the signal is answered here, where Python drops errors
    Odd()
    time.sleep(5)
    print("it went on")"""
    site = distribution("ferc-odd", COMMAND.format(body=body))
    done = ferc_process("odd", PYTHONPATH=str(site))
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.endswith("ferc: interrupted; rerun the command to resume\n")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--out", LONG), "out has a name of over 255 bytes in it: xxx"),
        (("run", "--out", "d/" * 3000), "out is a path of over 4095 bytes"),
        (("run", "--out", NOT_UTF8), "out must be UTF-8, and 'a\\udcff' is not"),
        (("run", "--weights", LONG), "weights has a name of over 255 bytes"),
        (("run", LONG), "config has a name of over 255 bytes"),
        (("run", "--plugin", LONG), "plugin has a name of over 255 bytes"),
        (("run", "--plugin", "."), "cannot read the plugin file .: it is a folder"),
        (("run", "--plugin", "/dev/null"), "the plugin file /dev/null: it is not a regular file"),
        (("run", "--log-file", "/dev/full"), "the log file /dev/full: it is not a regular file"),
        (("run", "--log-file", "."), "cannot write the log file .: it is a folder"),
        (("run", "/dev/zero"), "cannot read /dev/zero: it is not a regular file"),
        (("run", "fifo"), "cannot read fifo: it is not a regular file"),
        (("score", "fifo"), "cannot read fifo: it is not a regular file"),
        (("build", "--out", LONG), "out has a name of over 255 bytes"),
        (("verify", LONG), "directory has a name of over 255 bytes"),
        (("results", LONG), "directory has a name of over 255 bytes"),
        (("intervals", NOT_UTF8), "a\\udcff is not a run directory"),
        (("corrupt", LONG, "out"), "image has a name of over 255 bytes"),
        (("data", "check", "folder", "--data-root", LONG), "data root has a name of over 255"),
        (("data", "preview", "toyfaces", "--out", f"{LONG}.png"), "out has a name of over 255"),
        (("gmm", "fit", "--out", LONG), "out has a name of over 255 bytes"),
        (("run", "--seed", BIG), "seeds must be between -9223372036854775807 and 92233"),
        (("corrupt", "a.png", "out", "--seed", BIG), "seed must be between"),
        (("intervals", "run", "--resamples", BIG), "resamples must be between"),
        (("verify", "b", "--rebuild", BIG), "rebuild must be between"),
        (("run", "--image-size", 2**31), "image size must be between 32 and 4096, not 2147483648"),
        (("run", "--workers", 10**6), "workers must be between -1 and 1024, not 1000000"),
        (("intervals", "run", "--resamples", 10**9), "resamples must be at most 1000000, not 1"),
        (("run", "--learning-rate", "inf"), "learning rate must be a finite number, not inf"),
        (("run", "--fusion", "nan"), "fusion must be a finite number, not nan"),
        (("intervals", "run", "--level", "nan"), "level must be a finite number, not nan"),
        (("run", "--dataset", "z" * 5000), "unknown dataset 'zzz"),
        (("run", "--dataset", "\x1b[31m"), "cannot read '\\x1b[31m'"),
    ],
)
def test_what_no_file_and_no_number_can_be_is_refused(ferc, tmp_path, arguments, message):
    os.mkfifo(tmp_path / "fifo")
    done = ferc(*arguments)
    assert message in one_sentence(done, 2)
    assert len(done.stderr) < 1100


def test_mistakes_on_the_command_line_are_short_and_without_escapes(ferc):
    for arguments in (("run", "--epochs", "9" * 5000), ("run", f"--{LONG}"), ("\x1b[31m" + LONG,)):
        done = ferc(*arguments)
        assert done.returncode == 2
        assert len(done.stderr) < 1500
        assert "\x1b" not in done.stderr


def test_names_from_a_data_folder_are_shown_without_escapes(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces")
    for split in ("train", "valid", "test"):
        folder = tmp_path / "faces" / split
        (folder / "calm").rename(folder / "c\u202emlac")
    shown = ferc("data", "check", "folder", "--data-root", "faces")
    assert "c\\u202emlac" in shown.stdout
    assert "\u202e" not in shown.stdout + shown.stderr


# In a process of its own: the streams, signals and warnings that are the process's


def streams(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run ``ferc`` with streams of a test's own."""
    usual = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60}
    return subprocess.run([*FERC, *arguments], **{**usual, **options})


@pytest.mark.parametrize(
    ("arguments", "unbuffered"), [(("list", "metrics", "--json"), "1"), (("run", "--help"), "")]
)
def test_a_full_disk_behind_the_output_is_one_sentence(arguments, unbuffered):
    with open("/dev/full", "w") as full:
        done = streams(*arguments, stdout=full, env=os.environ | {"PYTHONUNBUFFERED": unbuffered})
    assert done.returncode == 1
    said = b"ferc: standard output could not be written: No space left on device\n"
    assert done.stderr == said


@pytest.mark.parametrize("arguments", [("run", "--help"), ("list", "x")])
def test_a_pipe_that_nobody_reads_ends_the_command_quietly(arguments):
    read, write = os.pipe()
    os.close(read)
    done = streams(*arguments, stdout=write, stderr=write)
    os.close(write)
    assert done.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize(
    ("closed", "arguments", "code"),
    [((1,), ("list", "metrics"), 0), ((0, 1, 2), ("list", "x"), 2)],
)
def test_closed_streams_harm_nothing(closed, arguments, code):
    done = streams(*arguments, preexec_fn=lambda: [os.close(each) for each in closed])
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


def test_a_console_that_lacks_characters_gets_others(tmp_path):
    folder_of_faces(tmp_path / "faces", 2)
    for split in ("train", "valid", "test"):
        (tmp_path / "faces" / split / "calm").rename(tmp_path / "faces" / split / "平静")
    env = os.environ | {"PYTHONIOENCODING": "ascii"}
    checked = streams("data", "check", "folder", "--data-root", f"{tmp_path}/faces", env=env)
    assert checked.returncode == 0, checked.stderr
    assert b"\\u5e73\\u9759" in checked.stdout
    assert b"----" in checked.stdout
    assert b"?" not in checked.stdout


def test_a_name_that_is_not_utf_8_is_refused_where_a_table_would_hold_it(ferc, tmp_path):
    (tmp_path / f"{NOT_UTF8}.parquet").write_bytes(b"")
    assert "a\\udcff.parquet" in one_sentence(ferc("score", f"{NOT_UTF8}.parquet"), 1)
    done = ferc("data", "check", "folder", "--data-root", NOT_UTF8)
    assert "data root must be UTF-8" in one_sentence(done, 2)


@pytest.mark.parametrize("module", ["ferc_core.cli.app", "typer", "ferc_core.cli.list"])
def test_ctrl_c_before_anything_is_begun_is_one_sentence(module):
    code = (
        "import os, signal, sys\n"
        "class Press:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Press())\n"
        "sys.argv = ['ferc', 'list', 'metrics']\n"
        "from ferc_core.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, b"\nferc: interrupted\n")


def test_a_warning_of_a_library_is_one_line(tmp_path):
    (tmp_path / "loud.py").write_text("import warnings\nwarnings.warn('a\\n\\x1b[31mb')\n")
    done = streams("list", "metrics", "--plugin", f"{tmp_path}/loud.py")
    assert done.stderr == b"ferc: warning: UserWarning: a \\u001b[31mb (loud.py:2)\n"

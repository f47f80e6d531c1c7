"""Ten kills at any stage of a build (`make torture` does a hundred)."""

import subprocess
import sys
from pathlib import Path


def test_builds_that_are_killed_end_with_the_bytes_of_an_undisturbed_one():
    # In a process of its own: it forks, and the libraries' threads do not survive that.
    command = [sys.executable, str(Path(__file__).with_name("torture.py")), "--kills", "10", "--seed", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": killed") >= 6, done.stdout
    assert done.stdout.count("settled") >= 2, done.stdout

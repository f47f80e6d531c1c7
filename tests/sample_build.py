"""One sample build for all end-to-end tests of a worker process, made by the command line as a user would."""

import os
import subprocess
import sys
from pathlib import Path


def mobility(*arguments: str, data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command with this data root; keys and folders of the developer's own environment do not count."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MOBILITY_") and not k.endswith("_API_KEY")}
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    environment = {**clean, "MOBILITY_DATA": str(data), "COLUMNS": "160", **environment}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=900)

"""Does a real Airflow run the printed DAG, and end it in the right state?

    python -m tests.benchmarks.airflow --folder DIR

Airflow is installed into an environment of its own in DIR (kept for the next time), with the versions of
``airflow-constraints.txt``. Each of the two DAGs is imported and run by ``airflow dags test`` with a program that ends with
each exit code in turn: 0 and 4 are a success, 1, 2 and 5 a failure, 75 is skipped. About a minute each.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import venv
from datetime import time
from pathlib import Path

from sync.config.config import load
from sync.start.schedule import schedule

_CONSTRAINTS = Path(__file__).with_name("airflow-constraints.txt")
_EXPECTED = {0: "success", 4: "success", 1: "failed", 5: "failed", 75: "skipped"}
_WATCHED = {0: "success", 1: "failed"}
_SECRET = "a secret with 'quotes' and $signs"
_CONFIG = """
state_dir = "memory"
[accounts.portal]
crm = "hubspot"
token = "env:PORTAL_TOKEN"
[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"
"""
_PROGRAM = """#!/bin/sh
printf '%s' "$PORTAL_TOKEN" > "$(dirname "$0")/seen"
exit $(cat "$(dirname "$0")/code")
"""


def main() -> int:
    """Install, lay out, run; exit code 1 where a state is another one than it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="where Airflow and its state are kept")
    folder: Path = parser.parse_args().folder.absolute()
    airflow = _installed(folder / "environment")
    shop = _laid_out(folder)
    _run(airflow, folder, "db", "migrate")
    wrong = 0
    for dag, expected in (
        (f"crm-segments-{shop.name}", _EXPECTED),
        (f"crm-segments-{shop.name}-watch", _WATCHED),
    ):
        for code, state in expected.items():
            (shop / "code").write_text(str(code), encoding="utf-8")
            (shop / "seen").unlink(missing_ok=True)
            found = _state(_run(airflow, folder, "dags", "test", dag))
            seen = (shop / "seen").read_text(encoding="utf-8") if (shop / "seen").exists() else ""
            well = found == state and seen == _SECRET
            wrong += not well
            print(f"{dag}: exit code {code} → {found}{'' if found == state else f', not {state}'}"
                  f"{'' if seen == _SECRET else ', without its secret'}", flush=True)  # fmt: skip
    print("all as they should be" if not wrong else f"{wrong} wrong")
    return 1 if wrong else 0


def _installed(environment: Path) -> Path:
    airflow = environment / "bin" / "airflow"
    if not airflow.exists():
        venv.create(environment, clear=True)
        words = ["-m", "pip", "--python", str(environment / "bin" / "python"), "install", "--quiet"]
        subprocess.run(
            [_base_python(), *words, "--constraint", str(_CONSTRAINTS), "apache-airflow"], check=True
        )
    return airflow


def _base_python() -> str:
    """The Python that has pip: an environment of ours may have none."""
    return str(Path(sys.base_prefix) / "bin" / "python3")


def _laid_out(folder: Path) -> Path:
    """A config, its secrets, a program that ends as it is told, and the printed DAG in its folder."""
    shop = folder / "shop"
    (folder / "home" / "dags").mkdir(parents=True, exist_ok=True)
    shop.mkdir(exist_ok=True)
    (shop / "config.toml").write_text(_CONFIG, encoding="utf-8")
    (shop / "crm-segments").write_text(_PROGRAM, encoding="utf-8")
    (shop / "crm-segments").chmod(0o755)
    text = schedule(load(shop / "config.toml"), time(2, 30), shop / "crm-segments")["airflow"]
    [making] = [line.removeprefix("#") for line in text.splitlines() if "umask" in line]
    subprocess.run(["/bin/sh", "-c", making], check=True, env={**os.environ, "PORTAL_TOKEN": _SECRET})
    (folder / "home" / "dags" / "crm.py").write_text(text, encoding="utf-8")
    return shop


def _run(airflow: Path, folder: Path, *words: str) -> str:
    """Output of an Airflow command. What a task needs comes from the DAG alone."""
    environment = {
        "PATH": f"{airflow.parent}:/usr/bin:/bin",
        "HOME": str(folder),
        "AIRFLOW_HOME": str(folder / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run(
        [str(airflow), *words], capture_output=True, text=True, env=environment, check=False
    )
    return done.stdout + done.stderr


def _state(output: str) -> str:
    """The last state that Airflow gave the task."""
    states = re.findall(r"new_state=(\w+)|Task instance state updated.*?state=(\w+)", output)
    return (states[-1][0] or states[-1][1]) if states else f"nothing: {output[-300:]}"


if __name__ == "__main__":
    sys.exit(main())

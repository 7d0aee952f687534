"""Is every line of the Elastic Common Schema, as npm's `@elastic/ecs` has it?

    python judge.py FOLDER               FOLDER/ecs.jsonl and FOLDER/kinds/ecs.jsonl
    python judge.py --self-test FOLDER   the latter with faults, each of which must be noticed

Every leaf of every line has to be a field, of the field's type, with a value that is allowed. There
has to be a line for each event of `events.jsonl` beside it, in the same order. Exit code 1:
something is wrong, or there was nothing to look at.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "common"))

import fields
from faults import FAULTS
from judging import Judge
from lines import complaints

if __name__ == "__main__":
    judge = Judge(
        schema="ECS",
        output="ecs.jsonl",
        sequence="event.sequence",
        kind="event.code",
        complaints=partial(complaints, fields.load()),
        faults=FAULTS,
    )
    sys.exit(judge.run(__doc__))

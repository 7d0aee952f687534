"""Is every line of the Open Cybersecurity Schema Framework, as `ocsf-json-schema` has it?

    python judge.py FOLDER               FOLDER/ocsf.jsonl and FOLDER/kinds/ocsf.jsonl
    python judge.py --self-test FOLDER   the latter with faults, each of which must be noticed

Every line has to be valid by the JSON Schema of its class, which has no attribute but the class'
own and none that is deprecated. Beyond that, `type_uid` has to be made of class and activity, and
names have to be those of their numbers. There has to be a line for each event of `events.jsonl`
beside it, in the same order. Exit code 1: something is wrong, or there was nothing to look at.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "common"))

from faults import FAULTS
from judging import Judge
from lines import Schema

if __name__ == "__main__":
    judge = Judge(
        schema="OCSF",
        output="ocsf.jsonl",
        sequence="metadata.sequence",
        kind="metadata.event_code",
        complaints=Schema().complaints,
        faults=FAULTS,
    )
    sys.exit(judge.run(__doc__))

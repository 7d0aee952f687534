"""Is every line of the Open Cybersecurity Schema Framework, as `ocsf-json-schema` has it?

    python judge.py FOLDER               FOLDER/ocsf.jsonl, beside FOLDER/events.jsonl
    python judge.py --self-test FOLDER   lines of it with faults, each of which must be noticed

Every line has to be valid by the JSON Schema of its class, which has no attribute but the class'
own and none that is deprecated. Beyond that, `type_uid` has to be made of class and activity, and
names have to be those of their numbers. There has to be a line for each event. Exit code 1:
something is wrong, or there was nothing to look at.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "common"))

from faults import FAULTS
from judging import Judge
from lines import Schema

if __name__ == "__main__":
    kind = "metadata.event_code"
    sys.exit(Judge("OCSF", "ocsf.jsonl", kind, Schema().complaints, FAULTS).run(__doc__))

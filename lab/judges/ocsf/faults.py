"""What can be wrong with a line of OCSF."""

from spoil import Fault, add, put, without

FAULTS: dict[str, Fault] = {
    "an attribute that the class has not": add("dll", "x.dll"),
    "an attribute that the object has not": add("process.image", "x.exe"),
    "an attribute that is deprecated": add("process.tid", 7),
    "another class' attribute": add("driver", {"file": {"name": "x.sys", "type_id": 8}}),
    "no actor": without("actor"),
    "an actor who is nobody": put("actor", {}),
    # The class of losses and sessions does not ask for one.
    "no device of a process": without("process.pid", "device"),
    "a device without a name": without("device.hostname"),
    "a device without a type": without("device.type_id"),
    "a module that is loaded in no way": without("module.load_type_id"),
    "a file without a name": without("process.file.name"),
    "a process that has no id": without("process.pid", "process.uid"),
    "no evidence": without("query_evidence.process"),
    "a pid that is text": put("process.pid", "4711"),
    "an exit code that is text": put("exit_code", "0"),
    "a name that is a number": put("process.name", 7),
    "a time that is text": put("time", "2026-11-22T00:00:00Z"),
    "a time with a fraction": put("time", 1795316400000.5),
    "null": put("process.name", None),
    "an activity that there is not": put("activity_id", 77),
    "another type": put("type_uid", 100700),
    "another activity's name": put("activity_name", "Set User ID"),
    "another class' name": put("class_name", "File Activity"),
    "a class that there is not": put("class_uid", 1099),
    "no class": without("class_uid"),
    "a severity that there is not": put("severity_id", 7),
    "no product": without("metadata.product"),
    "another version": put("metadata.version", "1.0.0"),
    "the word for another event": put("metadata.event_code", "process_stop"),
}

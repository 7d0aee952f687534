"""What can be wrong with a line of ECS."""

from spoil import Fault, add, put, without

FAULTS: dict[str, Fault] = {
    "a field that ECS has not": add("process.image", "cmd.exe"),
    "a field of winlogbeat's": add("winlog", {"event_id": "1"}),
    "an object where a leaf is": put("process.name", {"text": "cmd.exe"}),
    "a leaf where an object is": put("process", "cmd.exe"),
    "null": put("process.executable", None),
    "an empty text": put("process.executable", ""),
    "a pid that is text": put("process.pid", "4711"),
    "a pid that is true": put("process.pid", True),
    "a command line that is a list": put("process.command_line", ["cmd.exe"]),
    "arguments that are no list": put("process.args", "cmd.exe"),
    "an exit code with a fraction": put("process.exit_code", 1.5),
    "a start that is no date": put("process.start", "today"),
    "a category that is no list": put("event.category", "process"),
    "a category that there is not": put("event.category", ["thread"]),
    "a type that the category has not": put("event.type", ["deletion"]),
    "no type": without("event.type"),
    "a kind that there is not": put("event.kind", "happening"),
    "an outcome that there is not": put("event.outcome", "refused"),
    "an operating system that there is not": put("host.os.type", "nt"),
    "a label that is a number": put("labels.target_pid", 4711),
    "a label of labels": put("labels.target_pid", {"of": "4711"}),
    "no time": without("@timestamp"),
    "a time in a month that there is not": put("@timestamp", "2026-13-01T00:00:00Z"),
    "no version": without("ecs.version"),
    "another version": put("ecs.version", "1.0.0"),
    "the word for another event": put("event.code", "process_stop"),
}

"""Turns the events of `go test -json` back into the text of the failed tests."""

import json
import sys

outputs: dict[str, list[str]] = {}
for line in sys.stdin:
    try:
        event = json.loads(line)
    except ValueError:
        sys.stdout.write(line)  # the compiler's own words
        continue
    test = event.get("Test", "")
    if event["Action"] in ("output", "build-output"):
        outputs.setdefault(test, []).append(event["Output"])
    elif event["Action"] == "pass" and test:
        outputs.pop(test, None)
for text in outputs.values():
    sys.stdout.writelines(text)

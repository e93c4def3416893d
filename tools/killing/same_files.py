"""The files of two output folders, but for what differs in every run."""

import json
from hashlib import sha256
from pathlib import Path

OWN_FACTS = ".run/facts.json"
"""What a run said of itself, kept to be said again."""

WRITTEN = ".run/written.json"
"""The record of the hashes of tables and report."""

SPEED = ("seconds", "megapixels_per_second", "peak_memory_mib")
"""Entries of `run.json` that are different in every run."""


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file of an output folder by path.

    Speeds are left out, and the journal's lines sorted; of the record of what was written, whose hashes depend on the
    speeds, there is whether each file is the one that it names.
    """
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for lock in (".run/lock", ".run/written.lock"):
        found.pop(lock, None)
    if WRITTEN in found:
        kept = {name: sha256(found[name]).hexdigest() in known for name, known in json.loads(found[WRITTEN]).items()}
        found[WRITTEN] = json.dumps(kept).encode()
    if "run.json" in found:
        facts = json.loads(found["run.json"])
        found["run.json"] = json.dumps({name: value for name, value in facts.items() if name not in SPEED}).encode()
    if OWN_FACTS in found:
        facts = json.loads(found[OWN_FACTS])
        facts["run"] = {name: value for name, value in facts["run"].items() if name not in SPEED}
        found[OWN_FACTS] = json.dumps(facts).encode()
    if ".run/journal.jsonl" in found:
        found[".run/journal.jsonl"] = b"\n".join(sorted(found[".run/journal.jsonl"].splitlines()))
    return found


def different(one: Path, other: Path) -> list[str]:
    """Return the names of files that two folders do not have alike."""
    found, wanted = files_of(one), files_of(other)
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))

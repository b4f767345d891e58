#!/usr/bin/env python3
"""Writes corpus files of fuzz_collect from snapshots: their notes, cut short.  usage: seeds_collect.py CORE... FOLDER

One file with everything, and one per kind of note that tells of the time before, with what its rows need."""
import pathlib, struct, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "vmm"))
import core  # noqa: E402

NUMBER = {name: number for number, name in core.KINDS.items()}
ALONE = ("step_regs", "trace", "writes", "steps", "words", "tables", "guest_debug", "rips", "run", "lapic", "msrs")
TOGETHER = {"step_regs": "steps"}  # which nothing is told without
MOST = {"trace": 1200, "xsave": 700, "nested": 1200, "stats": 100, "cpuid2": 400, "msrs": 800, "tables": 200, "writes": 800}


def record(name, vcpu, payload):
    kind, _, sample = name.partition("@")
    payload = payload[:MOST.get(kind, 1024)]
    return struct.pack("<BBBH", NUMBER[kind], min(vcpu, 255), int(sample or 0) << 6, len(payload)) + payload


for path in sys.argv[1:-1]:
    c, to = core.load(pathlib.Path(path)), pathlib.Path(sys.argv[-1])
    notes = [(name, vcpu, p) for (name, vcpu), p in c.notes.items()
             if p is not None and name.partition("@")[0] in NUMBER and name not in ("header", "host", "zero", "slots", "smram", "flight")]
    end = struct.pack("<BBBH", 0, 0, 0, 0) + struct.pack("<Q", c.t_mono)
    stem = pathlib.Path(path).stem
    (to / stem).write_bytes(b"".join(record(*n) for n in notes) + end + c.phys(0x100000, 512))
    for kind in ALONE:
        some = [n for n in notes if n[0].partition("@")[0] == kind]
        if some:
            with_ = [n for n in notes if n[0].partition("@")[0] == TOGETHER.get(kind)]
            (to / f"{stem}-{kind}").write_bytes(b"".join(record(*n) for n in with_[:4] + some[:4]) + end)

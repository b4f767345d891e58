#!/usr/bin/env python3
"""Writes corpus files of fuzz_foreign: built dumps with the state of CPUs.

usage: seeds_foreign.py MAKE_DUMP FOLDER   MAKE_DUMP as of tests/built"""
import pathlib, subprocess, sys

CASES = pathlib.Path(__file__).resolve().parent.parent / "built/cases"
NAMES = ["qemu-cpu", "qemu-q35", "qemu-timer", "vmware-cpus", "windows-clock", "windows-mini"]
to = pathlib.Path(sys.argv[2])
to.mkdir(exist_ok=True)
for name in NAMES:
    subprocess.run([sys.argv[1], CASES / f"{name}.txt", to / name], check=True)

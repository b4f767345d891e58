#!/usr/bin/env python3
"""Writes the first corpus of fuzz_loopscan: loops of every kind, in 16 and 64 bits.  usage: seeds_loopscan.py FOLDER"""
import pathlib, sys

LOOPS = {
    "load-test": "8b431085c074f9", "cmp-imm": "817b0878563412f39075f5", "test-bit": "f646011074fa",
    "masked": "8b0725ff0000003d3400000075f2", "shift": "8b07c1e805a80174f7", "bt": "8b070fbae00773f8",
    "self": "ebfe", "count": "48ffc975fb", "delay": "b964000000ffc975fc833b0074f2", "rdtsc": "0f3139f073048b03ebf6c3",
    "store": "ff03ebfc", "call": "e805000000ebf9", "halt": "f4ebfd", "cmpxchg": "f00fb10b75fa", "stack": "488b45f84885c074f7",
    "real": "8b003d341275f9", "two": "8b033b430475f9", "push": "5058ebfc", "xadd": "f00fc107c3", "movs": "0fb60084c074f9",
}
for name, code in LOOPS.items():
    for mode in (0, 1, 2):
        regs = bytes(b for i in range(16) for b in ((0x10 * i) & 0xff, 0x50))
        (pathlib.Path(sys.argv[1]) / f"{name}-{mode}").write_bytes(bytes([mode]) + regs + bytes.fromhex(code))

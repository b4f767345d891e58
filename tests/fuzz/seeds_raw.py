#!/usr/bin/env python3
"""Writes corpus files of fuzz_raw: memory of a PC with a BIOS, of Firecracker before and since it moved its hole.

usage: seeds_raw.py FOLDER"""
import pathlib, struct, sys

GIB, GDT, MAP, MAP_NR = 1 << 30, 0x500, 0x72d0, 0x71e8
RAM = 1


def seed(data, gib=0, base=None):
    return struct.pack("<BBQ", gib, base is not None, base or 0) + bytes(data)


def firecracker(*entries):
    m = bytearray(MAP + 20 * 4)
    struct.pack_into("<4Q", m, GDT, 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x008f8b000000ffff)
    m[MAP_NR] = len(entries)
    for i, entry in enumerate(entries):
        struct.pack_into("<QQI", m, MAP + 20 * i, *entry)
    return m


def ram(end):
    return firecracker((0, 0x9fc00, RAM), (0x100000, end - 0x100000, RAM), (end, 0x1000, 2), (4 * GIB, GIB, RAM))


vectors = b"".join(struct.pack("<HH", 0xff53, 0xf000) for _ in range(256)) + bytes(64)
to = pathlib.Path(sys.argv[1])
to.mkdir(exist_ok=True)
for name, content in {"bios": seed(vectors), "firecracker": seed(firecracker()[:0x520]), "hole": seed(ram(3 * GIB), 4),
                      "hole-before": seed(ram(3 * GIB + GIB // 4), 4), "not-told": seed(firecracker(), 4), "told": seed(b"memory", 0, 0x100000),
                      "wraps": seed(b"memory", 0, (1 << 64) - 2), "empty": seed(b"", 0, 0), "nothing": seed(bytes(100))}.items():
    (to / name).write_bytes(content)

#!/usr/bin/env python3
"""Writes corpus files of fuzz_log_ring: printk's rings, whole, wrapped and torn; the older one; members where they are told.

usage: seeds_log_ring.py FOLDER"""
import pathlib, struct, sys

OLD, TOLD = 1, 2
DESCS, INFOS, TEXT = 0x60, 0x140, 0x440
COUNT_BITS, SIZE_BITS, DESC, INFO = 3, 8, 24, 88
COMMITTED, FINALIZED, REUSABLE = 1 << 62, 2 << 62, 3 << 62
ID = (1 << 62) - 1
FIRST = ID - 2  # ids go on at 0
# offset, size, shift, bits
PRB = [(0, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (48, 8), (0, 8), (8, 8), (16, 8), (0, 8), (8, 8), (16, 2), (20, 4), (18, 1), (19, 1, 5, 3)]
OLD_HEAD = [(0, 8), (8, 2), (10, 2), (14, 1), (15, 1, 5, 3), (0, 0)]


def fields(each):
    return b"".join(struct.pack("<HBBB", *(f + (0, 0))[:4]) for f in each)


class Ring:
    """As printk fills it: a block in one piece, at the ring's start where it would not fit before."""

    def __init__(self):
        self.memory, self.id, self.lpos = bytearray(TEXT + (1 << SIZE_BITS)), FIRST, 0

    def put(self, at, form, *values):
        struct.pack_into("<" + form, self.memory, at, *values)

    def add(self, text, state=FINALIZED, lpos=None):
        slot = self.id & ((1 << COUNT_BITS) - 1)
        room, size = 8 + len(text) + 7 & ~7, 1 << SIZE_BITS
        at, begin, following = self.lpos % size, self.lpos, self.lpos + room
        if at + room > size:
            at, following = 0, (begin // size + 1) * size + room
        if lpos is None:
            self.put(TEXT + at, "Q", self.id)
            self.memory[TEXT + at + 8:TEXT + at + 8 + len(text)] = text
            self.lpos = following
        else:
            begin = following = lpos
        self.put(DESCS + slot * DESC, "QQQ", state | self.id, begin, following)
        self.put(INFOS + slot * INFO, "QQHBBI", self.id - FIRST & ID, 1000, len(text), 1, 4 << 5, 0x80000001)
        self.id = self.id + 1 & ID

    def input(self, tail=FIRST, head=None, what=b"\0"):
        self.put(0, "IIQQQQIIQ", COUNT_BITS, 0, DESCS, INFOS, self.id - 1 & ID if head is None else head, tail, SIZE_BITS, 0, TEXT)
        return what + bytes(self.memory)


def ring(*texts):
    r = Ring()
    for text in texts:
        r.add(text)
    return r


def torn():
    r = ring(b"being written", b"of another turn", b"written over", b"no such block", b"good")
    r.put(DESCS + (FIRST & 7) * DESC, "Q", FIRST)
    r.put(DESCS + (FIRST + 1 & 7) * DESC, "Q", FINALIZED | 77)
    r.put(TEXT + 24 + 24, "Q", 99)
    r.put(DESCS + (FIRST + 3 & ID & 7) * DESC + 16, "Q", 4096)
    return r


def states():
    r = Ring()
    r.add(b"", lpos=3)
    r.add(b"lost", lpos=1)
    r.add(b"gone", REUSABLE)
    r.add(b"still open", COMMITTED)
    return r


def old_record(text, length=None):
    n = 16 + len(text) + 3 & ~3
    return (struct.pack("<QHHHBB", 1000, n if length is None else length, len(text), 0, 1, 6 << 5) + text).ljust(n, b"\0")


def old(memory, first=0, records=(0, 2), length=None, what=bytes([OLD])):
    return what + struct.pack("<IIQQ", len(memory) if length is None else length, first, *records) + memory


LINES = b"BUG: kernel NULL pointer dereference, address: 0\nOops: 0002 [#1] PREEMPT SMP\0\xff"
TWO = old_record(b"one") + old_record(b"two")
SEEDS = {
    "whole": ring(b"one", LINES, b"").input(), "wraps": ring(b"a" * 200, b"behind the seam", b"next").input(FIRST + 1),
    "end": ring(b"b" * 248).input(), "torn": torn().input(), "states": states().input(), "empty": Ring().input(head=FIRST),
    "head": ring(b"x").input(head=FIRST + 64), "told": ring(b"one", LINES).input(what=bytes([TOLD]) + fields(PRB) + struct.pack("<HHH", 80, DESC, INFO)),
    "told-none": ring(b"one").input(what=bytes([TOLD]) + fields([(0, 0)] * 16) + bytes(6)),
    "told-wide": ring(b"one").input(what=bytes([TOLD]) + fields(PRB) + struct.pack("<HHH", 513, DESC, INFO)),
    "old": old(TWO + bytes(16)), "old-wraps": old(old_record(b"second") + bytes(16) + old_record(b"first"), 40),
    "old-broken": old(old_record(b"good") + old_record(b"bad", 4)), "old-round": old(TWO, 0, (0, 500)), "old-behind": old(TWO, 1 << 30),
    "old-long": old(TWO, length=0xffffffff), "old-told": old(TWO, what=bytes([OLD | TOLD]) + fields(OLD_HEAD) + struct.pack("<H", 16)),
    "nothing": b"", "old-nothing": b"\1",
}
to = pathlib.Path(sys.argv[1])
to.mkdir(exist_ok=True)
for name, content in SEEDS.items():
    (to / name).write_bytes(content)

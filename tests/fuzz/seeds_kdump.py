#!/usr/bin/env python3
"""Writes corpus files of fuzz_kdump beside plain and flat, which are kdumps of one page: what is odd about a kdump.

usage: seeds_kdump.py FOLDER   of corpus/kdump.  Offsets: makedumpfile's IMPLEMENTATION, "Format of the header"."""
import pathlib, struct, sys

MACHINE, STATUS, BLOCK, SUB_BLOCKS, BITMAP_BLOCKS, VERSION = 272, 424, 428, 432, 436, 8
SUB, SPLIT, FIRST, LAST, INFO, NOTES = 4096, 4108, 4112, 4120, 4128, 4144
BITMAP, DESC = 8192, 16384
to = pathlib.Path(sys.argv[1])
plain, flat = ((to / name).read_bytes() for name in ("plain", "flat"))


def changed(data, *changes):
    new = bytearray(data)
    for at, form, *values in changes:
        struct.pack_into(form, new, at, *values)
    return bytes(new)


def header_only(*changes):
    return changed(plain[:SUB + 104], *changes)


def stream(*records, end=True, kind=1):
    """A flattened one."""
    head = b"makedumpfile\0\0\0\0" + struct.pack(">QQ", kind, 1)
    out = [head.ljust(4096, b"\0"), *(struct.pack(">QQ", off, len(data)) + data for off, data in records)]
    return b"".join(out) + (b"\xff" * 16 if end else b"")


def flags(value):
    return (DESC + 12, "<I", value)


files = {
    "version": header_only((VERSION, "<I", 9)), "block": header_only((BLOCK, "<I", 8192)), "machine": header_only((MACHINE, "8s", b"i686\n")),
    "bitmaps": header_only((BITMAP_BLOCKS, "<I", 1 << 31)), "notes-long": header_only((NOTES, "<QQ", 4096, 1 << 40)),
    "short": plain[:400], "no-sub": changed(plain[:SUB + 8]), "cut-bitmap": plain[:BITMAP + 5000], "cut-page": plain[:len(plain) - 8],
    "split": changed(plain, (SPLIT, "<iQQ", 1, 0, 5), (STATUS, "<I", 8)),
    "odd-notes": changed(plain, (NOTES, "<QQ", len(plain) - 20, 100), (INFO, "<QQ", len(plain) - 4, 100)),
    "vmemmap": changed(plain, flags(0x40)), "no-pages": changed(plain, (BITMAP, "8192s", b"")),
    "flat-cut": flat[:17000], "flat-wraps": stream((0, plain[:64]), ((1 << 64) - 2, b"12345678")),
    "flat-over": stream((0, plain[:4096]), (4096, plain[4096:]), (40, bytes(400)), (0, plain[:600]), (100, plain[100:200])),
    "flat-elf": stream((0, b"\x7fELF\2\1\1".ljust(64, b"\0"))), "flat-other": stream((0, b"nothing"), end=False), "flat-kind": stream(kind=2),
    "flat-short": stream()[:100],
}
for name, content in files.items():
    (to / name).write_bytes(content)

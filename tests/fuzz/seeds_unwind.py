"""Seeds of fuzz_unwind: seeds_unwind.py FOLDER."""
import pathlib
import struct
import sys

BASE = 0xFFFFFFFF81000000


def seed(call, entries, stack, rsp, rbp):
    nr = len(entries)
    at = 10 * nr  # of the stack
    ips = b"".join(struct.pack("<i", at + i - 4 * i) for i in range(nr))
    table = b"".join(struct.pack("<hhH", o, b, bits) for o, b, bits in entries)
    words = b"".join(w if isinstance(w, bytes) else struct.pack("<Q", BASE + at + w) for w in stack)
    return struct.pack("<BHH", nr, at + rsp, at + rbp) + ips + table + words


def all_kinds(call):
    sp = 5
    return [(8, 0, sp | call << 8), (16, -16, sp | 1 << 4 | call << 8), (0, 0, sp | (call + 1) << 8),
            (0, 0, sp | (call + 2) << 8), (8, 0, 9 | call << 8), (-24, 0, 8 | call << 8)]


out = pathlib.Path(sys.argv[1])
call_insn = b"\xe8\0\0\0\0\xff\xd0\x90"
stack = [call_insn, 1, 5, 7, 64, 5] + [2] * 20 + [0, b"\x10" + 7 * b"\0", 3, 256, 0] + [7] * 8
for name, call in (("type0", 0), ("type2", 2)):
    out.joinpath(name).write_bytes(seed(call, all_kinds(call), stack, 8, 32))
out.joinpath("pointers").write_bytes(seed(0, [], stack, 8, 32))
out.joinpath("calls").write_bytes(seed(2, [(8, 0, 5 | 2 << 8)] * 8, stack, 8, 32))

#!/usr/bin/env python3
"""Write seeds for fuzz_btf: a kernel's BTF with every kind, and the same with a module's behind it.

usage: seeds_btf.py FOLDER"""
import pathlib, struct, sys


class Btf:
    def __init__(self, base=None):
        self.types, self.strings = b"", b"" if base else b"\0"
        self.first_char = base.end() if base else 0

    def end(self):
        return self.first_char + len(self.strings)

    def text(self, s):
        if not s:
            return 0
        at = self.end()
        self.strings += s.encode() + b"\0"
        return at

    def add(self, kind, name="", value=0, parts=(), flag=0, words=()):
        """parts: tuples that begin with a name; words: what follows instead"""
        self.types += struct.pack("<III", self.text(name), kind << 24 | len(parts) | flag << 31, value)
        for part in parts:
            self.types += struct.pack("<I", self.text(part[0]) if isinstance(part[0], str) else part[0])
            self.types += struct.pack(f"<{len(part) - 1}I", *part[1:])
        self.types += struct.pack(f"<{len(words)}I", *words)

    def bytes(self):
        chars = self.strings or b"\0"
        return struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(self.types), len(self.types), len(chars)) + self.types + chars


def kernel():
    b = Btf()
    b.add(1, "int", 4, words=[1 << 24 | 32])  # 1
    b.add(2, "", 1)  # 2: a pointer
    b.add(3, words=[1, 1, 4])  # 3: an array
    b.add(4, "task_struct", 24, [("pid", 1, 1 << 24), ("", 5, 64), ("list", 3, 128)], flag=1)
    b.add(5, "", 8, [("a", 1, 0), ("b", 2, 0)])
    b.add(6, "state", 4, [("ON", 1), ("OFF", 0xFFFFFFFF)], flag=1)
    b.add(7, "unknown", flag=1)
    b.add(8, "u32", 1)
    for kind in (9, 10, 11, 18):  # volatile, const, restrict, type tag
        b.add(kind, "tag" if kind == 18 else "", 8)
    b.add(13, "", 1, [("p", 2), ("", 0)])  # 13: a prototype
    b.add(12, "f", 13)
    b.add(14, "var", 1, words=[1])  # 15
    b.add(15, ".data..percpu", 16, [(15, 0, 4)])
    b.add(16, "double", 8)
    b.add(17, "tag", 4, words=[0])
    b.add(19, "wide", 8, [("HIGH", 2, 1)])
    return b


def module(base):
    b = Btf(base)
    b.add(4, "driver", 16, [("task", 2, 0), ("next", 21, 64)])  # 20
    b.add(2, "", 20)
    return b


out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
k = kernel()
(out / "kernel").write_bytes(k.bytes())
(out / "module").write_bytes(k.bytes() + module(k).bytes())

#!/usr/bin/env python3
"""Write seeds for fuzz_kallsyms: small tables of kallsyms in both orders, and where they lie.

usage: seeds_kallsyms.py FOLDER"""
import pathlib, struct, sys

BASE, TEXT = 0xffffffff81e00000, 0xffffffff81000000
NAMES = [b"Aper_cpu", b"T_stext", b"T_text"] + [b"tfunction_%d" % i for i in range(37)]


def image(newer, addresses):
    out, at = bytearray(b"\x90" * 40), {}

    def label(name):
        out.extend(bytes(-len(out) % 8))
        at[name] = BASE + len(out)

    def offsets():
        label("offsets")
        for i in range(len(NAMES)):
            addr = 0x1000 if not i else TEXT + 16 * max(0, i - 2)
            if addresses:
                out.extend(struct.pack("<Q", addr))
            else:
                out.extend(struct.pack("<i", addr if not i else TEXT - 1 - addr))
        if not addresses:
            label("base")
            out.extend(struct.pack("<Q", TEXT))

    if not newer:
        offsets()
    label("num")
    out.extend(struct.pack("<I", len(NAMES)))
    label("names")
    for name in NAMES:
        name = name.replace(b"function", b"\x01")
        out.extend(bytes([len(name)]) + name)
    label("markers")
    out.extend(struct.pack("<I", 0))
    label("table")
    index = []
    for i in range(256):
        index.append(len(out) - (at["table"] - BASE))
        out.extend((b"function" if i == 1 else bytes([i]) if 0x21 <= i < 0x7f else b"?") + b"\0")
    label("index")
    out.extend(struct.pack("<256H", *index))
    if newer:
        offsets()
    out.extend(bytes(-len(out) % 8))
    out.extend(struct.pack("<6Q", at["names"], at["num"], at["table"], at["index"], at["offsets"],
                           at.get("base", 0)))
    return bytes(out)


folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
(folder / "until-6.4").write_bytes(image(False, False))
(folder / "since-6.5").write_bytes(image(True, False))
(folder / "addresses").write_bytes(image(False, True))

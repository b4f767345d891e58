#!/usr/bin/env python3
"""Writes corpus files of fuzz_libkdump and fuzz_build_id.

usage: seeds_answers.py FOLDER   of corpus/libkdump or corpus/build_id"""
import pathlib, struct, sys

LKCD, DISKDUMP = struct.pack("<Q", 0xa8190173618f23ed), b"DISKDUMP"
STARTS = b"\0"
ID = bytes(range(20))


def answer(piece, times=1, status=0):
    return struct.pack("<BHB", status, len(piece), times) + piece


def info(form, arch=b"x86_64", max_pfn=8, page=4096):
    return answer(struct.pack("<QQ16s16s", max_pfn, page, form, arch))


def runs(*each):
    return answer(b"".join(struct.pack("<QQQ", *r) for r in each))


NO_MORE = runs()


def pages(*states):
    """One page an answer: a status, then its bytes."""
    return b"".join(answer(bytes([st]) + bytes([0x41] * 16), 255) if st is not None else answer(b"", status=3) for st in states)


def libkdump():
    plain = runs((0, 8, 0)) + NO_MORE
    batch = answer(bytes(61) + bytes([5, 2, 3]), 255)
    return {"lkcd": LKCD + STARTS + info(b"lkcd") + plain + pages(0, 0),
            "lkcd-batch": LKCD + STARTS + info(b"lkcd", b"", 64) + runs((0, 64, 0)) + NO_MORE + answer(bytes(4097), 1) + answer(bytes(1285), 205),
            "lkcd-page": LKCD + STARTS + info(b"lkcd", b"") + plain + answer(bytes(4097), 1) * 4 + answer(b"\5" + bytes(4096)),
            "lkcd-dies": LKCD + STARTS + info(b"lkcd") + plain + pages(None, None) + batch,
            "diskdump": DISKDUMP + STARTS + info(b"diskdump") + runs((1, 4, 0), (4, 5, 1), (7, 8, 0)) + NO_MORE,
            "nonsense": DISKDUMP + STARTS + info(b"diskdump") + runs((4, 2, 0)), "none": LKCD + STARTS + info(b"lkcd") + NO_MORE,
            "i386": LKCD + STARTS + info(b"lkcd", b"i386"), "page": LKCD + STARTS + info(b"lkcd", page=8192),
            "beyond": LKCD + STARTS + info(b"lkcd", max_pfn=1 << 60), "starts-not": LKCD + b"\1"}


def note(size=4, kind=3, name=b"GNU\0", desc=ID):
    return struct.pack("<III", size, len(desc), kind) + name + desc


def elf(notes, segment, section):
    at = 64 + 56 + 3 * 64
    names = b"\0.notes\0.names\0"
    head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64 if segment else 0, 120 if section else 0, 0, 64, 56,
                                                     segment, 64, 3 if section else 0, 2)
    phdr = struct.pack("<IIQQQQQQ", 4, 4, at, 0, 0, len(notes), len(notes), 4)
    shdr = bytes(64) + struct.pack("<IIQQQQIIQQ", 1, 7, 2, 0, at, len(notes), 0, 0, 4, 0)
    shdr += struct.pack("<IIQQQQIIQQ", 8, 3, 0, 0, at + len(notes), len(names), 0, 0, 1, 0)
    return head + phdr + shdr + notes + names


def build_id():
    two = note(kind=1, name=b"Xen\0", desc=bytes(4)) + note()
    return {"segment": elf(two, 1, 0), "section": elf(two, 0, 1), "none": elf(note(kind=1), 1, 1), "long": elf(note(desc=bytes(68)), 1, 0),
            "answer": STARTS + answer(ID.hex().encode()), "answer-short": STARTS + answer(b"a\0"), "answer-none": STARTS + answer(b""),
            "answer-nonsense": STARTS + answer(b"0123x"), "answer-dies": STARTS + answer(b"", status=3)}


to = pathlib.Path(sys.argv[1])
to.mkdir(exist_ok=True)
for name, content in {"libkdump": libkdump, "build_id": build_id}[to.name]().items():
    (to / name).write_bytes(content)

#!/usr/bin/env python3
"""Writes corpus files of fuzz_machine and fuzz_collect: a small Linux that registers, a note or memory tell of.

usage: seeds_kernel.py FOLDER   The memory of these targets repeats itself, so a few pages are enough."""
import pathlib, struct, sys

QEMU, VMCOREINFO, PRSTATUS, VM = 0xfe, 0xfd, 0xff, 0xff  # tests/fuzz/blobs.h
PML4, PDPT, PD, IDT, BYTES = 0x1000, 0x2000, 0x3000, 0x4000, 0x5000
TEXT, TABLE, LARGE = 0xffffffff81000000, 0x67, 0x1e3
INFO = (f"OSRELEASE=6.1.0-7\nBUILD-ID={bytes(range(20)).hex()}\nSYMBOL(swapper_pg_dir)={TEXT + PML4:x}\nSYMBOL(_stext)={TEXT:x}\n"
        f"NUMBER(phys_base)={-0x1000000}\nKERNELOFFSET=0\nNUMBER(pgtable_l5_enabled)=0\n").encode()


def memory():
    m = bytearray(BYTES)
    m[:len(INFO)] = INFO
    for at, value in ((PML4 + 8 * 511, PDPT | TABLE), (PML4 + 8 * 508, PDPT | TABLE), (PDPT, PD | TABLE), (PD, IDT | TABLE),
                      (PDPT + 8 * 510, PD | TABLE), (PD + 8 * 8, LARGE), (0xa00, 0xffff888000000000), (0xa08, 300)):
        struct.pack_into("<Q", m, at, value)
    banner = b"Linux version 6.1.0-7 (somebody)"
    m[0x800:0x800 + len(banner)] = banner
    struct.pack_into("<III4s20s", m, 0x900, 4, 20, 3, b"GNU\0", bytes(range(20)))
    struct.pack_into("<HHHHI", m, IDT, 0x1000, 0x10, 0x8e00, 0x8100, 0xffffffff)
    return bytes(m)


def qemu(cr3, cr4):
    segs = [(8, 0xffffffff, 0xaf9b00, 0, 0)] + [(0, 0, 0, 0, 0)] * 3 + [(0, 0, 0, 0, 0xffff888000000000)] + [(0, 0, 0, 0, 0)] * 4
    segs += [(0, 0xfff, 0, 0, 0xfffffe0000000000)]
    return struct.pack("<II18Q", 1, 440, *range(18)) + b"".join(struct.pack("<IIIIQ", *s) for s in segs) + struct.pack("<6Q", 0x80050033, 0, 0, cr3, cr4, 0)


def record(kind, vcpu, payload):
    return struct.pack("<BBBH", kind, vcpu, 0, len(payload)) + payload


to = pathlib.Path(sys.argv[1])
END = bytes(5 + (8 if to.name == "collect" else 0))  # no more records; a time
for name, records in {"kernel-registers": record(QEMU, 0, qemu(PML4, 0x20)), "kernel-isolated": record(QEMU, 0, qemu(PML4 | 0x1000, 0x1020)),
                      "kernel-note": record(VMCOREINFO, VM, INFO), "kernel-memory": record(PRSTATUS, 0, bytes(336)),
                      "kernel-both": record(QEMU, 1, qemu(PML4, 0x20)) + record(VMCOREINFO, VM, INFO.replace(b"7", b"6"))}.items():
    (to / name).write_bytes(records + END + memory())

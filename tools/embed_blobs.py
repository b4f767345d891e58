#!/usr/bin/env python3
"""Assembled guest code as one C table.

usage: embed_blobs.py OUT.c BLOB.bin..."""
import pathlib, sys

out, blobs = pathlib.Path(sys.argv[1]), [pathlib.Path(p) for p in sys.argv[2:]]
text = ['#include "vmm/scenarios/frag.h"', ""]
for n, b in enumerate(blobs):
    data = b.read_bytes()
    text.append(f"static const uint8_t blob{n}[] = {{")
    for i in range(0, len(data), 16):
        text.append("\t" + " ".join(f"0x{c:02x}," for c in data[i : i + 16]))
    text += ["};", ""]
text.append("const struct vmm_blob vmm_blobs[] = {")
text += [f'\t{{"{b.stem}", blob{n}, sizeof(blob{n})}},' for n, b in enumerate(blobs)]
text += ["};", f"const size_t vmm_nr_blobs = {len(blobs)};", ""]
out.write_text("\n".join(text))

#!/usr/bin/env python3
"""A file as a C array.

usage: embed_bytes.py OUT.c HEADER NAME FILE   (HEADER declares NAME[] and NAME_bytes)"""
import pathlib, sys

out, header, name, data = sys.argv[1], sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4]).read_bytes()
lines = ["\t" + " ".join(f"0x{c:02x}," for c in data[i : i + 16]) for i in range(0, len(data), 16)]
pathlib.Path(out).write_text("\n".join([f'#include "{header}"', "", f"const uint8_t {name}[] = {{", *lines, "};",
                                        f"const size_t {name}_bytes = sizeof({name});", ""]))

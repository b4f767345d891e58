#!/usr/bin/env python3
"""Fail when a file includes what its folder may not see.  The two tables are the architecture.

usage: check_layers.py ROOT [EXPECTED]   EXPECTED lists the violations of a tree that must fail"""
import pathlib, re, sys

ALL = {""}  # a prefix of every path
# Folder -> paths that it may include, besides itself and include/inquest.
MAY_INCLUDE = {
    "include": set(),
    "base": set(),
    "arch": {"base"},
    "vmcs": {"base", "arch"},
    "loader": {"base"},
    "symbols": {"base"},
    "machine": {"base", "arch", "vmcs", "loader", "symbols"},
    "store": {"base"},
    "analyzers": {"base", "arch", "vmcs", "symbols", "machine", "store"},
    "views": {"base", "store"},
    "tui": {"base", "views"},
    "cli": {"base", "arch", "vmcs", "loader", "symbols", "machine", "store", "analyzers", "views", "tui", "capture", "snap"},
    "plugins": set(),
    "snap": {"base"},
    "capture": {"base", "loader", "machine", "snap"},
    "vmm": {"base", "arch/paging", "snap"},
    "tests": ALL, "docs": ALL, "tools": ALL,
}
# Library header -> paths that may include it, besides tests.  Any other <header> is the system's.
LIBRARY = {
    "sqlite3": {"store", "analyzers", "views"},
    "Zydis": {"arch/x86_64"},
    "libkdumpfile": {"loader"},
    "libelf": {"loader", "symbols"}, "gelf": {"loader", "symbols"},
    "libdwarf": {"symbols"}, "dwarf": {"symbols"},
    "curses": {"tui"}, "ncurses": {"tui"}, "ncursesw": {"tui"},
    "linux/kvm": {"vmm", "snap", "capture"},
    "zlib": {"loader", "vmm", "capture"},
    "libdeflate": {"loader"}, "lzo": {"loader"}, "snappy-c": {"loader"}, "zstd": {"loader", "vmm"},
    "seccomp": {"base"},
    "xxhash": {"loader", "machine"},
    "json-c": {"loader", "capture"},
}


def under(path, prefixes):
    """Is path one of the prefixes, or below one?  A header counts without its .h."""
    return any(not p or re.match(re.escape(p) + r"(/|\.h$|$)", path) for p in prefixes)


def complaint(path, quote, header):
    here, top = path.split("/")[0], header.split("/")[0]
    for name, where in LIBRARY.items():
        if under(header, {name}):
            return None if under(path, where | {"tests"}) else f"{header} is for {sorted(where)} only"
    if top in ("inquest", here) or (quote == "<" and top not in MAY_INCLUDE):
        return None
    return None if under(header, MAY_INCLUDE[here]) else f"must not include {header}"


def violations(root):
    for d in sorted(d for d in root.iterdir() if d.is_dir() and d.name[0] != "."):
        if d.name == "build" or (d / "meson-private").exists():
            continue
        if d.name not in MAY_INCLUDE:
            yield f"{d.name}: folder is not in the table"
            continue
        for f in sorted(d.rglob("*.[ch]")):
            path = f.relative_to(root).as_posix()
            for n, line in enumerate(f.read_text().splitlines(), 1):
                m = re.match(r'\s*#\s*include\s*(["<])([^">]+)', line)
                if m and (why := complaint(path, m[1], m[2])):
                    yield f"{path}:{n}: {why}"


found = list(violations(pathlib.Path(sys.argv[1])))
expected = pathlib.Path(sys.argv[2]).read_text().splitlines() if len(sys.argv) > 2 else []
print("\n".join(found))
sys.exit(found != expected)

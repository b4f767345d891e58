#!/usr/bin/env python3
"""Lines and inlined functions of a dump, beside those that addr2line tells of its debug files.

usage: lines.py INQUEST DUMP VMLINUX [NAME.ko.debug ...] [--seed N]

Asked are 200 addresses of the kernel's text and 200 of each module whose debug file is given (it lies in the folder of
VMLINUX).  Where a module's code is addr2line is told by symbols, not
by the list of sections that inquest uses.  Exit code 0: all agree."""
import argparse, pathlib, random, re, subprocess, sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / name) for name in ("symbols", "bed")]
import addr2line  # noqa: E402
from ours import Asked  # noqa: E402

NR, AT_ONCE = 200, 50


def ours(asked, addrs):
    found = {a: [] for a in addrs}
    for i in range(0, len(addrs), AT_ONCE):
        values = ",".join(f"({a - (1 << 64)})" for a in addrs[i:i + AT_ONCE])
        sql = f"SELECT hex64(a.column1) AS at, function, file, line FROM (VALUES {values}) a, lines(a.column1) ORDER BY a.column1, depth"
        for r in asked.rows(sql):
            found[int(r["at"], 16)].append((r["function"] or "?", r["file"] or "??", str(r["line"] or 0)))
    return found


def compare(what, mine, theirs):
    bad = [a for a in mine if not addr2line.same(mine[a], theirs[a])]
    for a in bad[:8]:
        print(f"  {a:#x}: {mine[a]}, addr2line: {theirs[a]}")
    print(f"{what}: {len(mine) - len(bad)} of {len(mine)} agree, {sum(bool(x) for x in mine.values())} have lines,"
          f" {sum(len(x) > 1 for x in mine.values())} inlined functions", flush=True)
    return len(bad) + (not any(mine.values()))


def kernel(asked, path, rng):
    moved = asked.rows("SELECT kaslr_offset AS moved FROM kernel")[0]["moved"]
    moved = int(moved, 16) if isinstance(moved, str) else moved
    _, first, n = addr2line.section_of(path, ".text")
    linked = [first + rng.randrange(n) for _ in range(NR)]
    told = addr2line.ask(path, linked)
    mine = ours(asked, [a + moved for a in linked])
    return compare("kernel", mine, {a + moved: told[a] for a in linked})


def functions_of(path):
    """{name: (section, offset, bytes)} of those that have a name of their own."""
    sections = dict(re.findall(r"\[ *(\d+)\] (\S+)", subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout))
    found, twice = {}, set()
    for line in subprocess.run(["readelf", "-sW", path], capture_output=True, text=True, check=True).stdout.splitlines():
        part = line.split()
        if len(part) == 8 and part[3] == "FUNC" and part[6].isdigit():
            (twice.add if part[7] in found else lambda _: None)(part[7])
            found[part[7]] = sections[part[6]], int(part[1], 16), int(part[2], 0)
    return {name: f for name, f in found.items() if name not in twice and f[2]}


def module(asked, path, rng):
    name, functions = pathlib.Path(path).name.split(".")[0].replace("-", "_"), functions_of(path)
    there = {r["name"]: int(r["at"], 16) for r in asked.rows(f"SELECT name, hex64(addr) AS at FROM symbol WHERE module = '{name}' AND lower(type) = 't'")}
    known = sorted(set(there) & set(functions))
    if not known:
        print(f"{name}: not loaded")
        return 0
    wanted, theirs = {}, {}
    for _ in range(NR):
        fn = rng.choice(known)
        section, at, n = functions[fn]
        off = rng.randrange(n)
        wanted.setdefault(section, {})[there[fn] + off] = at + off
    for section, of in wanted.items():
        told = addr2line.ask(path, sorted(set(of.values())), section)
        theirs |= {a: told[off] for a, off in of.items()}
    return compare(name, ours(asked, sorted(theirs)), theirs)


class WithFile(Asked):
    def __init__(self, inquest, dump, vmlinux):
        super().__init__(inquest, dump)
        self.vmlinux = vmlinux

    def run(self, command, *argv):
        return super().run(command, "--vmlinux", self.vmlinux, *argv)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("inquest")
    ap.add_argument("dump")
    ap.add_argument("vmlinux")
    ap.add_argument("modules", nargs="*", metavar="NAME.ko.debug")
    ap.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = ap.parse_intermixed_args()
    asked, rng = WithFile(args.inquest, args.dump, args.vmlinux), random.Random(args.seed)
    print(f"seed {args.seed}")
    bad = kernel(asked, args.vmlinux, rng) + sum(module(asked, path, rng) for path in args.modules)
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())

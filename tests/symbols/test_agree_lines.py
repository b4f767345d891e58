#!/usr/bin/env python3
"""Lines and inlined functions of Debian's debug kernel, at 200 addresses of its text, are those that addr2line tells.
usage: test_agree_lines.py ASK_LINES [SEED]"""
import pathlib, random, subprocess, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bed"))
import addr2line, kernel

NR = 200
ask, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)


def ours(path, addrs):
    out = subprocess.run([ask, path, *map(hex, addrs)], capture_output=True, text=True, check=True)
    assert not out.stderr, out.stderr
    found = {a: [] for a in addrs}
    for line in out.stdout.splitlines():
        addr, function, file, nr = line.split("\t")
        found[int(addr, 16)].append((function, file, nr))
    return found


path = str(kernel.Kernel("linux-image-amd64").debug())
_, first, n = addr2line.section_of(path, ".text")
rng = random.Random(seed)
addrs = [rng.randint(first, first + n - 1) for _ in range(NR)]
a, b = ours(path, addrs), addr2line.ask(path, addrs)
bad = [at for at in addrs if not addr2line.same(a[at], b[at])]
for at in bad:
    print(f"{at:#x}: {a[at]}, addr2line: {b[at]}")
print(f"seed {seed}: {NR - len(bad)} of {NR} agree, {sum(bool(x) for x in a.values())} have lines,"
      f" {sum(len(x) > 1 for x in a.values())} inlined functions")
sys.exit(bool(bad) or not any(a.values()))

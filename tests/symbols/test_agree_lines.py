#!/usr/bin/env python3
"""Lines and inlined functions of Debian's debug kernel, at a hundred addresses of its text, are those
that addr2line tells.  usage: test_agree_lines.py ASK_LINES [SEED]"""
import pathlib, random, re, subprocess, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bed"))
import kernel

NR = 100
ask, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)


def text_of(path):
    """First and last address of .text."""
    out = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout
    m = re.search(r"\] \.text +PROGBITS +([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+)", out)
    return int(m[1], 16), int(m[1], 16) + int(m[2], 16) - 1


def ours(path, addrs):
    out = subprocess.run([ask, path, *map(hex, addrs)], capture_output=True, text=True, check=True)
    assert not out.stderr, out.stderr
    found = {a: [] for a in addrs}
    for line in out.stdout.splitlines():
        addr, function, file, nr = line.split("\t")
        found[int(addr, 16)].append((function, file, nr))
    return found


def theirs(path, addrs):
    """addr2line's: functions by DWARF, or by symbol where no unit has the address: those have no line."""
    out = subprocess.run(["addr2line", "-aife", path], input="".join(f"{a:#x}\n" for a in addrs),
                         capture_output=True, text=True, check=True).stdout.splitlines()
    found, at = {a: [] for a in addrs}, None
    while out:
        if out[0].startswith("0x"):
            at = int(out.pop(0), 16)
            continue
        function, place = out.pop(0), re.sub(r" \(discriminator \d+\)$", "", out.pop(0))
        file, nr = place.rsplit(":", 1)
        if file != "??":
            found[at].append((function, file, "0" if nr == "?" else nr))
    return found


def same(a, b):
    """Functions of assembly have no DIE, only symbols; folders are cut off in front."""
    return len(a) == len(b) and all((x[0] in ("?", y[0])) and y[1].endswith(x[1]) and x[2] == y[2] for x, y in zip(a, b))


path = str(kernel.Kernel("linux-image-amd64").debug())
first, last = text_of(path)
rng = random.Random(seed)
addrs = [rng.randint(first, last) for _ in range(NR)]
a, b = ours(path, addrs), theirs(path, addrs)
bad = [at for at in addrs if not same(a[at], b[at])]
for at in bad:
    print(f"{at:#x}: {a[at]}, addr2line: {b[at]}")
print(f"seed {seed}: {NR - len(bad)} of {NR} agree, {sum(bool(x) for x in a.values())} have lines")
sys.exit(bool(bad) or not any(a.values()))

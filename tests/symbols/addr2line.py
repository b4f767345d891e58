"""What addr2line of binutils tells of addresses: inlined functions and lines, for tests that ask inquest the same."""
import re, subprocess


def ask(path, addrs, section=None):
    """{address: [(function, file, line)]}, innermost first.  Functions by DWARF, or by symbol where no unit has the
    address: those have no line, and are left out.  With a section, of a file that is not linked, addresses are offsets in it."""
    argv = ["addr2line", "-aife", path, *(["-j", section] if section else [])]
    out = subprocess.run(argv, input="".join(f"{a:#x}\n" for a in addrs), capture_output=True, text=True, check=True).stdout.splitlines()
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


def same(ours, theirs):
    """Functions of assembly have no DIE, only symbols; folders are cut off in front, and a doubled slash is one."""
    return len(ours) == len(theirs) and all(x[0] in ("?", y[0]) and y[1].replace("//", "/").endswith(x[1]) and x[2] == y[2]
                                            for x, y in zip(ours, theirs))


def section_of(path, name):
    """(number, address, bytes) of a section of an ELF file."""
    out = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout
    m = re.search(rf"\[ *(\d+)\] {re.escape(name)} +\w+ +([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+)", out)
    return int(m[1]), int(m[2], 16), int(m[3], 16)

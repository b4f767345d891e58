#!/usr/bin/python3
"""Guests that ran, dumped in every form there is a writer of: each says the same of the same machine, and all is true.

usage: test_dumps.py INQUEST SCATTER [GUEST ...]
       test_dumps.py INQUEST --formats

Each guest of guest.py is booted once and stopped.  Its ELF dump is kept while every other form of forms.py
is made of it, read and deleted; then damage.py damages it.  What is true is told by the guest itself on its
console and by QEMU of its CPUs, not by a dump.  --formats only compares the forms with what inquest says it opens."""
import json, os, pathlib, re, subprocess, sys, tempfile, time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bed")]
import damage, forms, guest  # noqa: E402
from kernel import BedError  # noqa: E402

REGS_SQL = "SELECT cpu, name, hex64(value) AS value FROM reg WHERE value IS NOT NULL"
KERNEL_SQL = "SELECT os, release, hex64(text) AS text, kaslr_offset, phys_base, levels FROM kernel"
MEMORY_SQL = "SELECT hex64(first) AS first, hex64(last) AS last, kind FROM mem_range"


class Reader:
    """What inquest says of a file."""

    def __init__(self, inquest):
        self.inquest = inquest

    def ask(self, *argv):
        done = subprocess.run([self.inquest, *map(str, argv)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
        if done.returncode not in (0, 1):
            raise BedError(f"inquest {argv[0]}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def report(self, path):
        return json.loads(self.ask("report", "--json", path))

    def rows(self, path, sql):
        return json.loads(self.ask("sql", "--json", path, sql))["rows"]

    def registers(self, path):
        """Of each CPU, those that are known."""
        cpus = {}
        for row in self.rows(path, REGS_SQL):
            cpus.setdefault(row["cpu"], {})[row["name"]] = int(row["value"], 16)
        return [cpus[i] for i in sorted(cpus)]

    def memory(self, path):
        """[(first, last, kind)]"""
        return [(int(r["first"], 16), int(r["last"], 16), r["kind"]) for r in self.rows(path, MEMORY_SQL)]


def within(ranges, ram, kinds):
    """Bytes of RAM that the ranges of those kinds hold."""
    return sum(max(0, min(last, end) - max(first, start) + 1)
               for first, last, kind in ranges if kind in kinds for start, end in ram)


def check_registers(got, want, form):
    yield f"{len(got)} CPUs", len(got) == len(want)
    for i, (g, w) in enumerate(zip(got, want)):
        yield f"cpu {i} does not tell {sorted(form.regs - set(g))}", form.regs <= set(g)
        wrong = {n: f"0x{g[n]:x}, not 0x{w[n]:x}" for n in g if n in w and g[n] != w[n]}
        yield f"cpu {i}: {wrong}", not wrong


def check_memory(ranges, ram, form):
    size = sum(last - first + 1 for first, last in ram)
    have, left = within(ranges, ram, {"bytes"}), within(ranges, ram, {"bytes", "excluded"})
    yield f"memory is lost: {[r for r in ranges if r[2] == 'absent']}", not any(kind == "absent" for *_, kind in ranges)
    if form.memory == forms.ALL:
        yield f"{have} bytes of {size}", have == size
    else:
        yield f"{have} bytes and {left - have} left out, of {size}", 0 < have < size
    if form.memory == forms.FILTERED:
        yield f"{left} bytes of {size} are accounted for", left == size


def check_kernel(reader, path, truth):
    """Found, and where it is; nothing contradicts it."""
    kernels = reader.rows(path, KERNEL_SQL)
    want = {"os": "linux", "release": truth.release, "text": f"0x{truth.text:x}", "kaslr_offset": truth.kaslr,
            "phys_base": truth.phys_base, "levels": 5 if truth.la57 else 4}
    yield f"kernel {kernels}, not {want}", kernels == [want]


def check_form(reader, path, truth, form):
    """(what, whether)"""
    report = reader.report(path)
    yield f"something is lost: {report['gaps']}", not any(g["tbl"] == "dump" for g in report["gaps"])
    if truth.cpus:
        yield from check_registers(reader.registers(path), truth.cpus, form)
    yield from check_kernel(reader, path, truth)
    yield f"findings: {report['findings']}", {f["rule"] for f in report["findings"]} <= truth.finds
    yield from check_memory(reader.memory(path), truth.ram, form)


def complain(name, form, checks):
    bad = 0
    for what, good in checks:
        if not good:
            print(f"{name}, {form}: {what}", flush=True)
            bad += 1
    return bad


def try_form(reader, running, elf, truth, form, folder):
    path = folder / "dump"
    began = time.monotonic()
    form.make(running, elf, path)
    made, size = time.monotonic(), path.stat().st_size
    bad = complain(truth.name, form.name, check_form(reader, path, truth, form))
    print(f"  {form.name:20} {size >> 20:6} MiB  made in {made - began:5.1f} s, read in {time.monotonic() - made:5.1f} s", flush=True)
    if form.damage and running.guest.damaged:
        bad += complain(truth.name, form.name + " damaged", damage.checks(reader, path, form.damage))
    path.unlink()
    return bad


def try_guest(reader, one, scatter, folder):
    began = time.monotonic()
    with guest.Running(one, folder, [scatter], reader.inquest) as running:
        truth, elf = running.truth(), folder / "elf"
        print(f"{one.name}: up in {time.monotonic() - began:.1f} s", flush=True)
        if one.saved:
            running.take_saved(elf)
            running.stop()
        else:
            forms.BASE.make(running, None, elf)
        base = forms.SAVED if one.saved else forms.BASE
        bad = complain(one.name, base.name, check_form(reader, elf, truth, base))
        forms.headers_first(elf)
        for form in forms.FORMS:
            if form.only(one) and form.again:
                running.go_on()
                truth = running.truth()  # the forms behind it must not be made of the ELF dump
            if form.only(one):
                bad += try_form(reader, running, elf, truth, form, folder)
    if one.damaged:
        elf.chmod(0o600)
        bad += complain(one.name, "elf damaged", damage.checks(reader, elf, base.damage))
    return bad


def run_all(guests, prefix, try_one):
    """Each guest in a folder of its own; the exit code.  try_one(guest, folder) tells how many things were wrong."""
    bad = 0
    for one in guests:
        with tempfile.TemporaryDirectory(prefix=prefix, dir=os.environ.get("INQ_TMP")) as folder:
            try:
                bad += try_one(one, pathlib.Path(folder))
            except (BedError, OSError) as e:
                print(f"{one.name}: {e}", flush=True)
                bad += 1
    print("all true" if not bad else f"{bad} wrong")
    return 1 if bad else 0


def check_formats(reader):
    listed = re.findall(r"^([a-z]\S*) ", reader.ask("formats"), re.M)
    for form in (forms.BASE, forms.SAVED, *forms.FORMS):
        yield f"{form.format} is not among the formats {listed}", form.format in listed


def main():
    inquest, scatter, *names = sys.argv[1:]
    if scatter == "--formats":
        return 1 if complain("inquest", "formats", check_formats(Reader(inquest))) else 0
    return run_all([g for g in guest.GUESTS if not names or g.name in names], "dumps-",
                   lambda one, folder: try_guest(Reader(inquest), one, scatter, folder))


if __name__ == "__main__":
    sys.exit(main())

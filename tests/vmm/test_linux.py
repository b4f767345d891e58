#!/usr/bin/python3
"""A Linux kernel boots to its first process, in each format and with what it may find, and goes on from its snapshot.

usage: test_linux.py INQUEST_VMM LINUX_INIT INQUEST

In the svm testbed: Debian's cloud kernel, with LINUX_INIT as its whole root.  INQUEST then says the same of the machine
in every form that INQUEST_VMM writes, and all is true."""
import pathlib, re, struct, subprocess, sys, tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bed"), str(HERE.parent / "dumps")]
import bed, core, forms, guest, image, kernel, test_dumps  # noqa: E402

ROUND, ENDED = 8, 33  # linux_init.c: rounds to each end, 2 * EXIT_CODE + 1
MAGIC, MAX_CPUS = b"INQ-LINUX-INIT.\0", 64
QUIET = "console=ttyS0 quiet panic=-1 reboot=k"
SECONDS = 240  # a busy machine takes its time
DISK, DISK_BYTES = "--disk disk", 1 << 20

# name: image, vCPUs, MiB, more options, more of a command line, clock
GUESTS = {
    "bzimage-5g": ("vmlinuz", 2, 5120, "--disk disk", "", "kvm-clock"),
    "pvh-jiffies": ("vmlinux", 2, 256, "--boot pvh", "clocksource=jiffies", "jiffies"),
    "vmlinux-no-acpi": ("vmlinux", 1, 256, "--boot linux64 --virtual", "acpi=off nokaslr", "kvm-clock"),
}
PACKED = "pvh-jiffies", ("kdump-zlib", "kdump-zstd")  # of which guest's snapshot the compressed forms are made


def seed_of(name):
    return 1000003 * (1 + sorted(GUESTS).index(name))


def make_jobs():
    for name, (kern, vcpus, mib, options, append, _) in GUESTS.items():
        run = (f"inquest-vmm run --kernel /bin/{kern} --initrd /bin/root.cpio --vcpus {vcpus} --memory {mib} {options} "
               f"--append '{QUIET} {append} seed={seed_of(name)}' --timeout {SECONDS} --snapshot a.core")
        pack = "".join(f"inquest-vmm resume a.core --for 0 --snapshot a.{f} --format {f} || exit; " for f in PACKED[1] if name == PACKED[0])
        yield bed.Job(name, ["sh", "-c", f"yes INQ | head -c {DISK_BYTES} >disk; {run} && exit 9; code=$?; [ $code = {ENDED} ] || exit $code; {pack}echo again:; "
                             f"inquest-vmm resume a.core {DISK if DISK in options else ''} --for {SECONDS * 1000} --snapshot b.core"], 2 * SECONDS)


def shown(c):
    """(seed, round, ticks of each CPU) of the page that linux_init.c counts in: the only one of its kind."""
    found = [off for _, n, off in c.loads for off in pages_with(c.bytes, off, n)]
    assert len(found) == 1, f"{len(found)} pages with the magic"
    seed, rounds, *ticks = struct.unpack_from(f"<{2 + MAX_CPUS}Q", c.bytes, found[0] + len(MAGIC))
    return seed, rounds, ticks


def pages_with(data, off, n):
    at = data.find(MAGIC, off, off + n)
    while at >= 0:
        if (at - off) % core.PAGE == 0:
            yield at
        at = data.find(MAGIC, at + 1, off + n)


def check_said(name, text):
    text = text.replace("\r\n", "\n")
    _, vcpus, mib, _, _, clock = GUESTS[name]
    said = re.findall(r"^init: seed (\d+) cpus (\d+) clock (\S+) kib (\d+) release (6\.\S+)$", text, re.M)
    yield f"init spoke once: {said}", len(said) == 1
    seed, cpus, have, kib, _ = said[0]
    yield f"seed {seed}", int(seed) == seed_of(name)
    yield f"{cpus} CPUs", int(cpus) == vcpus
    yield f"clock {have}", have == clock
    yield f"{kib} KiB of memory", mib * 1024 * 0.75 < int(kib) < mib * 1024
    yield "the reset ended it", re.search(r"^vCPU \d+: the guest reset the machine, through the i8042$", text, re.M)
    before, _, after = text.partition("again:\n")
    rounds = [re.findall(r"^round (\d+) at (\d+) ms$", part, re.M) for part in (before, after)]
    yield f"rounds {rounds}", [int(n) for part in rounds for n, _ in part] == list(range(1, 1 + 2 * ROUND))
    yield "they are of two runs", [len(part) for part in rounds] == [ROUND, ROUND]
    times = [int(t) for part in rounds for _, t in part]
    yield f"its clock goes forward: {times}", times == sorted(times) and times[-1] > times[0]


def check_disk(r, options):
    """Linux read all of it, and wrote a sector per round, in both runs."""
    text, data = r.text("stdout"), (r.files / "disk").read_bytes()
    was = b"INQ\n" * (DISK_BYTES // 4)
    said = re.findall(r"^disk: (.*)$", text.replace("\r\n", "\n"), re.M)
    if DISK not in options:
        yield f"no disk: {said}", not said and data == was
        return
    yield f"it read its disk: {said}", said == [f"{DISK_BYTES} bytes, sum {sum(was)}"]
    rounds = [struct.pack("<2Q", seed_of(r.job.id), n) + bytes(496) for n in range(1, 2 * ROUND + 1)]
    yield "its sectors are on it", data == was[:512] + b"".join(rounds) + was[512 * (1 + 2 * ROUND):]


def registers(c, cpu):
    """What KVM said of it, under the names that inquest has for it."""
    general = "rax rbx rcx rdx rsi rdi rsp rbp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags".split()
    regs = dict(zip(general, struct.unpack("<18Q", c.notes["regs", cpu])))
    system = c.notes["sregs2", cpu]
    for i, name in enumerate("cs ds es fs gs ss tr ldtr".split()):  # struct kvm_segment
        regs |= zip((f"{name}.base", f"{name}.limit", f"{name}.sel"), struct.unpack_from("<QIH", system, 24 * i))
    for i, name in enumerate(("gdtr", "idtr")):  # struct kvm_dtable
        regs |= zip((f"{name}.base", f"{name}.limit"), struct.unpack_from("<QH", system, 192 + 16 * i))
    regs |= zip(("cr0", "cr2", "cr3", "cr4", "cr8", "efer"), struct.unpack_from("<6Q", system, 224))
    regs |= zip(("dr0", "dr1", "dr2", "dr3", "dr6", "dr7"), struct.unpack_from("<6Q", c.notes["debugregs", cpu]))
    return regs


def truth_of(r, of, c):
    """Of the machine in a core: what its init, KVM and its kernel's own note say."""
    finds = {"cpu-hlt-if0"} if of == "b.core" else set()  # before it resets the machine, Linux stops the other CPUs like that
    info = dict(line.split("=", 1) for line in c.foreign[-1][1].decode().splitlines() if "=" in line)
    release = re.search(r" release (6\.\S+)", r.text("stdout")).group(1)
    return guest.Truth(name=r.job.id, release=release, text=guest.DEFAULT_TEXT + int(info["KERNELOFFSET"], 16),
                       phys_base=int(info["NUMBER(phys_base)"]), ram=[(gpa, gpa + n - 1) for gpa, n, _ in c.loads], la57=False,
                       vmcoreinfo=True, finds=finds, cpus=[registers(c, i) for i in range(GUESTS[r.job.id][1])])


def check_inquest(r, cores, inquest):
    """Compressed or not, before and after: inquest finds this machine and this kernel."""
    reader, packed = test_dumps.Reader(inquest), PACKED[1] if r.job.id == PACKED[0] else ()
    for of, names in (("a.core", ("a.core", *(f"a.{f}" for f in packed))), ("b.core", ("b.core",))):
        truth = truth_of(r, of, cores[of])
        for name in names:
            form = forms.Form(name, "elfcore" if name == of else "kdump", None, forms.WHOLE | {"smbase", "smm", "cr8"})
            for what, good in test_dumps.check_form(reader, r.files / name, truth, form):
                yield f"inquest, {name}: {what}", good


def check(r, inquest):
    name = r.job.id
    _, vcpus, _, options, _, _ = GUESTS[name]
    yield f"exit code {r.code}: {r.why or r.text('stderr').strip()}\n{r.text('stdout')[-2000:]}", r.code == 0
    yield from check_said(name, r.text("stdout"))
    yield from check_disk(r, options)
    cores = {f: core.load(r.files / f) for f in ("a.core", "b.core")}
    (seed, first, ticks), (seed_b, second, later) = (shown(c) for c in cores.values())
    yield f"seed in memory: {seed}, {seed_b}", seed == seed_b == seed_of(name)
    yield f"rounds in memory: {first}, {second}", (first, second) == (ROUND, 2 * ROUND)
    for i in range(vcpus):
        yield f"CPU {i} counted to {ticks[i]}, then to {later[i]}", 0 < ticks[i] < later[i]
    yield f"no other CPU counted: {later[vcpus:]}", not any(later[vcpus:])
    yield f"views: {len(cores['a.core'].views)}", bool(cores["a.core"].views) == ("--virtual" in options)
    yield from check_peers(r, cores["a.core"])
    yield from check_inquest(r, cores, inquest)


KDUMPFILE = """
import kdumpfile, sys
k = kdumpfile.kdumpfile(sys.argv[1])
k.attr["addrxlat.ostype"] = "linux"
uts = k.read(kdumpfile.KDUMP_KVADDR, k.attr["linux.vmcoreinfo.SYMBOL.init_uts_ns"], 390)
print(uts[:5].decode(), uts[130:195].split(b"\\0")[0].decode(), *[hex(k.attr[f"cpu.{i}.reg.rip"]) for i in range(k.attr["cpu.number"])])
"""


def check_peers(r, c):
    """What this Debian's libkdumpfile finds in it, through the kernel's own page tables."""
    path = r.files / "a.core"
    yield f"notes for other tools: {[n for n, _ in c.foreign]}", [n for n, _ in c.foreign][-1:] == ["VMCOREINFO"]
    yield "HOST says where it was", b"vm.vmcoreinfo=found in memory, at 0x" in c.notes["host", core.VM]
    done = subprocess.run(["/usr/bin/python3", "-c", KDUMPFILE, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    release = re.search(r" release (6\.\S+)", r.text("stdout")).group(1)
    rips = [hex(struct.unpack_from("<Q", p, 112 + 16 * 8)[0]) for p in c.prstatus]
    yield f"libkdumpfile: {done.stdout}{done.stderr}", done.stdout.split() == ["Linux", release, *rips]


def wrong_of(r, inquest):
    try:
        for what, good in check(r, inquest):
            if not good:
                yield what
                return
    except (core.Bad, kernel.BedError, AssertionError, OSError) as e:
        yield str(e)


def main():
    vmm, init, inquest = (pathlib.Path(p).resolve() for p in sys.argv[1:4])
    k = kernel.Kernel()
    with tempfile.TemporaryDirectory() as tmp:
        root = pathlib.Path(tmp) / "root.cpio"
        cpio = image.Cpio(root)
        for folder in ("dev", "proc", "sys"):
            cpio.folder(folder)
        cpio.file("init", init.read_bytes())
        cpio.folder("modules")
        for i, path in enumerate(k.modules(["virtio_mmio", "virtio_blk"])):
            cpio.file(f"modules/{i}.ko", path.read_bytes())
        cpio.close()
        todo = list(make_jobs())
        results, why = bed.run("svm", todo, [vmm, k.vmlinuz, k.vmlinux(), root], pathlib.Path(tmp) / "out",
                               limit=SECONDS * 2 * len(todo), la57=False, cpus=1)
        wrong = [f"{r.job.id}: {what}" for r in results for what in wrong_of(r, inquest)] + ([why] if why else [])
        for r in results:
            print(f"{r.job.id}: {r.seconds} s")
    for what in wrong:
        print(f"not so: {what}")
    print(f"{len(todo)} guests, {len(wrong)} complaints")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

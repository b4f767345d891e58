#!/usr/bin/python3
"""A machine goes on from its snapshot as if nothing had happened; and one that only was loaded and saved is the same.

usage: test_resume.py here|svm|vmx INQUEST_VMM

here: on this machine's /dev/kvm (exit code 77: there is none); svm, vmx: in that testbed.  What may differ between a
snapshot and the snapshot of its unmoved copy is docs/snapshot-format.md, section 11; everything else must be equal."""
import pathlib, re, struct, subprocess, sys, tempfile, zlib

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bed")]
import bed, core, states  # noqa: E402
from test_kvm import check_hits, drawn, rip_of, run_here  # noqa: E402

SMM = ("smm-spin", "smm-gate-open")
NESTED = ("smm-dr7gd-l1", "smm-dr7gd-svm", "smm-dr7gd-noload")  # what svm has besides
DEAD_ENDS = ("smm-spin", "smm-dr7gd-l1", "smm-dr7gd-svm")
SLACK = 5.0  # seconds that saving may take on a slow machine
RECORD = ("flight", "rips", "trace", "writes", "steps", "step_regs")  # what an inquest-vmm did and saw while it ran
HYPERV_RUNTIME, HYPERV_TIME, TSC = 0x40000010, 0x40000020, 0x10


def jobs(smm, nested):
    for scenario in ("hlt-if0", "healthy", *(SMM if smm else ()), *(NESTED if nested else ())):
        for seed in (1, 2):
            args = f"--scenario {scenario} --seed {seed} --vcpus {1 + seed} --memory 16"
            yield bed.Job(f"{scenario}.{seed}", ["sh", "-c", f"inquest-vmm run {args} --snapshot a.core && "
                          "inquest-vmm resume a.core --for 0 --snapshot b.core && "
                          "inquest-vmm resume b.core --for 1500 --snapshot c.core && "
                          "inquest-vmm resume b.core --step 8 --for 0"], 60)


SUM_SEEDS = (1, 2, 3)
MOST_VCPUS = 64


def wide_job():
    """As many vCPUs as there can be."""
    return bed.Job("wide", ["sh", "-c", f"inquest-vmm run --scenario checksum --seed 9 --vcpus {MOST_VCPUS} --memory 32 --timeout 200 "
                            "--after 0 --snapshot a.core && echo once: && inquest-vmm resume a.core"], 240)


def nmi_jobs():
    """One NMI in its handler, or in its task, another pending: both are served, no more."""
    for scenario in ("nmi-served", "nmi-task-served"):
        yield bed.Job(scenario, ["sh", "-c", f"inquest-vmm run --scenario {scenario} --seed 4 --vcpus 2 --memory 16 --after 0 --snapshot a.core && "
                                 "inquest-vmm resume a.core --for 0 --snapshot b.core && echo once: && inquest-vmm resume b.core"], 60)


def sum_jobs():
    """Saved twice on its way, once without having run: it ends with the drawn results."""
    for seed in SUM_SEEDS:
        args = f"--scenario checksum --seed {seed} --vcpus 2 --memory 16"
        yield bed.Job(f"checksum.{seed}", ["sh", "-c", f"inquest-vmm run {args} --after 0 --snapshot a.core && "
                      "inquest-vmm resume a.core --for 0 --snapshot b.core && "
                      "inquest-vmm resume b.core --for 100 --snapshot c.core && inquest-vmm resume c.core && "
                      "echo once: && inquest-vmm resume a.core && echo never: && "
                      f"inquest-vmm run {args} --to-end --snapshot end.core && echo ended: && "
                      "inquest-vmm resume end.core"], 60)


def nested_sum_jobs():
    """Saved in the guest of a hypervisor, and in SMM entered from there."""
    for scenario in ("checksum-l2", "checksum-smm"):
        for seed in SUM_SEEDS:
            args = f"--scenario {scenario} --seed {seed} --vcpus 2 --memory 16"
            yield bed.Job(f"{scenario}.{seed}", ["sh", "-c", f"inquest-vmm run {args} --after 0 --snapshot a.core && "
                          "inquest-vmm resume a.core --for 0 --snapshot b.core && "
                          "echo once: && inquest-vmm resume b.core"], 60)


def vmx_jobs(vmm):
    """
    In a guest of a hypervisor, and in SMM entered from it.  That machine's clock all but stands while a guest waits
    for a timer, and from one that spins for ever without an exit it never comes back.
    """
    for scenario in ("checksum-smm", "checksum-l2"):
        args = f"--scenario {scenario} --seed 1 --vcpus 1 --memory 16 --timeout 100"
        when, watch = "--after 0", ""
        if scenario == "checksum-l2":  # its hypervisor counts what it leaves for
            when = "--on-post 0x40"
            d = drawn(vmm, ["inquest-vmm", "run", *re.sub(r"--timeout \S+", "", args).split()])
            watch = f"--watchpoint {(int(d['code[0]'], 0) & -1 << 39) + int(d['exits'], 0):#x} "
        yield bed.Job(scenario, ["sh", "-c", f"inquest-vmm run {args} {when} {watch}--snapshot a.core && "
                      "inquest-vmm resume a.core --for 0 --snapshot b.core && echo once: && inquest-vmm resume b.core"], 120)


def results_in(text):
    return {int(v): r for v, r in re.findall(r"^vcpu (\d+): .*, result (0x[0-9a-f]{8})$", text, re.M)}


def cpl(c, vcpu):
    return u(c.notes["sregs2", vcpu] or c.notes["sregs", vcpu], 12, 2) & 3


def check_sums(r, d):
    stages = re.split("once:|never:|ended:", r.text("stdout"))
    if len(stages) != 4:
        yield f"output {stages}", False
        return
    wanted = {i: d[f"result[{i}]"] for i in range(2)}
    first = results_in(stages[0].split("a.core: ")[0])  # given before it was saved at all
    for what, text in zip(("saved twice", "saved once", "never saved", "saved at its end"), stages):
        got = {**first, **results_in(text)}
        yield f"{what}: results are {got}, not {wanted}", got == wanted


def check_all_results(r, d, nr):
    first, _, rest = r.text("stdout").partition("once:")
    got = {**results_in(first.split("a.core: ")[0]), **results_in(rest)}
    yield f"results are {got}", got == {i: d[f"result[{i}]"] for i in range(nr)}


def check_nmi(r, d):
    cpu = int(d["cpu"])
    a, b = (core.load(r.files / f"{name}.core") for name in "ab")
    yield "an NMI is in its handler, another pending", a.notes["events", cpu][13:15] == b"\1\1"
    yield from Pair(a, b).check()
    yield from check_all_results(r, d, a.nr_vcpus)


def check_wide(r, d):
    c = core.load(r.files / "a.core")
    late = sum(1 for i in range(MOST_VCPUS) if c.regs(i)["r13"] > 0)
    yield f"{late} of {MOST_VCPUS} vCPUs were at work when it was saved", late > 0
    yield from check_all_results(r, d, MOST_VCPUS)


def check_vmx_sums(r, d, a, b):
    if "--watchpoint" in r.job.argv[2]:
        yield from check_hits(a, 0, int(d["exits"], 0), 8, int(d["code[0]"], 0) & -4096, 4096)
    if d["scenario"] == "checksum-smm":
        for c in (a, b):
            yield "in SMM, which L2 was interrupted by", c.notes["events", 0][24] == 1 and u(c.notes["nested", 0], 24, 2) == 3
    else:
        r13, exits = a.regs(0)["r13"], u(a.phys(int(d["exits"], 0), 8), 0)
        yield f"L2 was at work: {r13} rounds to go, {exits} exits", u(a.notes["nested", 0], 0, 2) & 1 and r13 > 0 and exits > 0
    yield from Pair(a, b).check()
    yield from check_all_results(r, d, a.nr_vcpus)


def check_nested_sums(r, d):
    a, b = (core.load(r.files / f"{name}.core") for name in "ab")
    if a.notes["nested", int(d["cpu"])][2] == 0:  # VMX
        yield from check_vmx_sums(r, d, a, b)
        return
    yield from Pair(a, b).check()
    yield from ((what, good) for what, good in states.CHECKS[d["scenario"]](a, d))
    yield from check_all_results(r, d, a.nr_vcpus)


def half_way(c):
    return all(c.regs(i)["r13"] > 20 for i in range(2))


def check_midway(results):
    """At least one was saved while both worked, one of them in user mode."""
    found = []
    for r in results:
        if r.job.id.startswith("checksum.") and r.code == 0:
            c = core.load(r.files / "a.core")
            found.append([cpl(c, i) for i in range(2)] + [c.regs(i)["r13"] for i in range(2)])
    yield f"a snapshot half way, in CPL 3 and CPL 0: {found}", any(f[:2] == [3, 0] and f[2] > 20 and f[3] > 20 for f in found)


def u(raw, at, size=8):
    return int.from_bytes(raw[at:at + size], "little")


def within(low, value, high):
    return low <= value <= high


class Pair:
    """A snapshot and that of its unmoved copy: each difference is masked by name, and then within its bound."""

    def __init__(self, a, b):
        self.a, self.b = a, b
        self.passed = (b.t_mono - a.t_mono) / 1e9 + SLACK

    def blank(self, raw, fields):
        out = bytearray(raw)
        for at, size in fields:
            out[at:at + size] = bytes(size)
        return out

    def lapic(self, x, y):
        yield "all but the timer's current count", self.blank(x, [(0x390, 4)]) == self.blank(y, [(0x390, 4)])
        yield "current count <= initial count", u(y, 0x390, 4) <= u(y, 0x380, 4)

    def tsc(self, x, y):
        yield "frequency, and whether the offset is known", x[:8] == y[:8]

    def pit2(self, x, y):
        loads = [(16, 8), (40, 8), (64, 8)]
        yield "all but when counters were loaded", self.blank(x, loads) == self.blank(y, loads)
        yield "loaded later", all(u(x, at) <= u(y, at) for at, _ in loads)

    def clock(self, x, y):
        times = [(0, 8), (16, 8), (24, 8)]
        yield "flags", self.blank(x, times) == self.blank(y, times)
        yield "goes forward, and does not jump", within(u(x, 0), u(y, 0), u(x, 0) + self.passed * 1e9)

    def stats(self, x, y):
        def names(raw):
            return [line.split(b"=")[0] for line in raw.splitlines()]
        yield "names", names(x) == names(y)

    def msrs(self, x, y, vcpu):
        old, new = ({i: (r, d) for i, r, d in struct.iter_unpack("<IIQ", raw)} for raw in (x, y))
        yield "the same registers", list(old) == list(new)
        khz = u(self.a.notes["tsc", vcpu], 0, 4)
        clock = [u(c.notes["clock", core.VM], 0) for c in (self.a, self.b)]
        bounds = {TSC: (old[TSC][1], old[TSC][1] + self.passed * khz * 1e3)}
        if HYPERV_TIME in old:
            bounds[HYPERV_TIME] = clock[0] // 100, clock[1] / 100 + SLACK * 1e7
        if HYPERV_RUNTIME in old:
            bounds[HYPERV_RUNTIME] = old[HYPERV_RUNTIME][1], old[HYPERV_RUNTIME][1] + self.passed * 1e7
        for i in old:
            ok = within(bounds[i][0], new[i][1], bounds[i][1]) if i in bounds else old[i] == new[i]
            yield f"MSR 0x{i:x}: {old[i]} {new[i]}", ok

    def slots(self, x, y):
        offs = [(at, 8) for at in range(32, len(x), 40)]
        yield "all but where the bytes lie in the file", self.blank(x, offs) == self.blank(y, offs)

    def smram(self, x, y):
        offs = [(at, 8) for at in range(8, len(x or b""), 32)]
        yield "all but where the bytes lie in the file", x == y or self.blank(x, offs) == self.blank(y, offs)

    def zero(self, x, y):
        yield "all but where the bytes lie in the file", self.blank(x, [(8, 8)]) == self.blank(y, [(8, 8)])

    def nested(self, x, y):
        at = {0: 0x220, 1: 0x5E8}[x[2]]  # VMX: guest linear address; SVM: DR6 of L1's save area
        lost = [(at, 8)] if x[:4] == y[:4] and x[0] & 1 else []  # L2 runs
        yield f"all but 8 bytes at 0x{at:x}", self.blank(x, lost) == self.blank(y, lost)
        yield "which are 0 or what they were", not lost or u(y, at) in (0, u(x, at))

    def header(self, x, y):
        yield "vCPUs and memory", x[:16] == y[:16] and x[40:48] == y[40:48]
        yield "asked for", (self.b.reason, self.b.reason_vcpu) == (1, core.VM)
        yield "nonce", self.a.nonce != self.b.nonce

    def check(self):
        def state(c):
            return [k for k in c.order if k not in RECORD], {k: v for k, v in c.states.items() if k[0] not in RECORD}
        yield "the same notes", state(self.a) == state(self.b)
        yield "NT_PRSTATUS", self.a.prstatus == self.b.prstatus
        for (kind, vcpu), x in self.a.notes.items():
            if kind in RECORD:
                continue
            y = self.b.notes[kind, vcpu]
            if kind == "msrs":
                found = self.msrs(x, y, vcpu)
            else:
                masked = getattr(self, kind, None) if x else None
                found = masked(x, y) if masked else [("equal", x == y)]
            yield from ((f"{kind} of {vcpu}: {what}", ok) for what, ok in found)
        for gpa, n, off in self.a.loads:
            yield f"memory at 0x{gpa:x}", self.a.at(off, n) == self.b.phys(gpa, n)


def check_went_on(c, later, d):
    """The machine of c, some time later."""
    for i in range(c.nr_vcpus):
        hit = str(i) == d.get("cpu")
        count = [int.from_bytes(x.phys(int(d[f"counter[{i}]"], 0), 8), "little") for x in (c, later)]
        if d["scenario"] == "hlt-if0" and hit:
            yield f"vcpu {i}: still halted", later.notes["mp_state", i][0] == 3 and later.regs(i) == c.regs(i)
            continue
        if d["scenario"] in DEAD_ENDS and hit:
            yield f"vcpu {i}: still in SMM", later.notes["events", i][24] == 1
            yield f"vcpu {i}: in its loop", int(d["loop_first"], 0) <= rip_of(later, i) < int(d["loop_end"], 0)
            yield f"vcpu {i}: no SMI came in between", later.msr(i, 0x34) == c.msr(i, 0x34) == 1
            continue
        if d["scenario"] == "smm-gate-open" and hit:
            yield f"vcpu {i}: was in SMM and left it", (c.notes["events", i][24], later.notes["events", i][24]) == (1, 0)
        yield f"vcpu {i}: counts on from where it was: {count}", count[0] < count[1]


def check_job(r, vmm):
    if r.code != 0:
        yield f"exit code {r.code}: {r.why or r.text('stderr').strip()}", False
        return
    argv = re.sub(r"--(after|on-post|timeout|watchpoint) \S+ ", "", r.job.argv[2].split(" && ")[0]).split()
    d = drawn(vmm, argv)
    if d["scenario"] in ("checksum-l2", "checksum-smm"):
        yield from check_nested_sums(r, d)
        return
    if r.job.id == "wide" or d["scenario"].startswith("nmi-"):
        yield from (check_wide if r.job.id == "wide" else check_nmi)(r, d)
        return
    a, b, c = (core.load(r.files / f"{name}.core") for name in "abc")
    yield from Pair(a, b).check()
    if d["scenario"] == "checksum":
        yield from check_sums(r, d)
        return
    yield from check_went_on(b, c, d)
    steps = [line for line in r.text("stdout").splitlines() if line.startswith("step ")]
    halted = a.notes["mp_state", 0][0] == 3 and not a.regs(0)["rflags"] & 0x200
    yield f"steps: {steps}", len(steps) == (1 if halted else 8) and ("does not get on" in steps[0]) == halted


def changed(path, to, changes):
    """A copy with other bytes at some offsets, and with the checksum of its notes made right."""
    c, data = core.load(path), bytearray(path.read_bytes())
    for at, new in changes:
        data[at:at + len(new)] = new
    field = c.payload_at["header", core.VM] + 88
    data[field:field + 4] = bytes(4)
    data[field:field + 4] = struct.pack("<I", zlib.crc32(data[c.notes_off:c.notes_off + c.notes_bytes]))
    to.write_bytes(data)


def resume(vmm, path, *more):
    done = subprocess.run([vmm, "resume", path, *more], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def check_changed(path, d, vmm, tmp):
    """What is changed in a snapshot of a machine half way: refused by name, or it shows in the result."""
    c, bad = core.load(path), tmp / "bad.core"
    wanted = {i: d[f"result[{i}]"] for i in range(2)}
    table = c.offset(0x206000, 2048)  # of vCPU 1
    xmm1 = c.payload_at["xsave", 0] + 176
    for what, vcpu, at in (("a byte of the table", 1, table + 700), ("XMM1", 0, xmm1),
                           ("R12", 1, c.payload_at["regs", 1] + 12 * 8)):
        changed(path, bad, [(at, bytes([c.bytes[at] ^ 0xFF]))])
        code, out, err = resume(vmm, bad)
        got = results_in(out)
        yield f"another {what} gives another result: {got} {err}", code == 0 and len(got) == 2 and \
            [i for i in range(2) if got[i] != wanted[i]] == [vcpu]
    leaf = next(i for i in range(0, len(c.notes["cpuid2", 0]), 40) if u(c.notes["cpuid2", 0], i, 4) == 7)
    changed(path, bad, [(c.payload_at["cpuid2", 0] + leaf + 24, b"\xff" * 4)])
    code, out, err = resume(vmm, bad, "--for", "0")
    yield f"a missing feature is named: {err}", (code, out) == (1, "") and re.search(
        r"bad.core: it needs CPUID 0x7\.0 edx bits 0x[0-9a-f]+, which this KVM lacks; --force goes on without\n$", err)
    changed(path, bad, [(c.payload_at["xsave", 0] - 24 + 12, struct.pack("<HHQ", 2, 5, 0))])
    code, out, err = resume(vmm, bad, "--for", "0")
    yield f"what was not taken is named: {err}", (code, out) == (1, "") and \
        err.endswith("bad.core: vCPU 0: it holds no XSAVE; --force goes on without\n")
    code, out, err = resume(vmm, bad, "--for", "0", "--force")
    yield f"--force goes on without: {err}", code == 0
    stats = c.payload_at["stats", 0]  # its text becomes a GUEST_DEBUG that only a debugger would set
    changed(path, bad, [(stats - 36, struct.pack("<I", 0x494E5100 | 42)), (stats - 16, struct.pack("<H", 42))])
    code, out, err = resume(vmm, bad, "--for", "0")
    yield f"a debugger's GUEST_DEBUG is refused: {err}", (code, out) == (1, "") and re.search(
        r"bad.core: vCPU 0: GUEST_DEBUG 0x[0-9a-f]+ is none that this program sets\n$", err)
    changed(path, bad, [(c.payload_at["regs", 1] - 24 + 12, struct.pack("<HHQ", 2, 5, 0))])
    code, out, err = resume(vmm, bad, "--for", "0", "--force")
    yield f"not without registers: {err}", (code, out) == (1, "") and "vCPU 1: no complete REGS, it cannot run" in err
    changed(path, bad, [(c.payload_at["header", core.VM] + 8, b"\2\0")])
    code, out, err = resume(vmm, bad, "--for", "0", "--force")
    yield f"a newer format: {err}", code == 1 and "snapshot format 2." in err
    tsc = u(c.notes["tsc", 1], 0, 4)
    changed(path, bad, [(c.payload_at["regs", 0] + 17 * 8, b"\0" * 8), (c.payload_at["tsc", 1], struct.pack("<I", tsc * 7))])
    code, out, err = resume(vmm, bad, "--for", "0")
    yield f"a TSC of another frequency: {err}", code == 0 or f"its TSC has {tsc * 7} kHz" in err


def main():
    where, vmm = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    smm = True
    if where == "here":
        caps = subprocess.run([vmm, "caps"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if caps.returncode:
            return 77
        smm = "SMM scenarios: can run here" in caps.stdout
    nested = where != "here"
    todo = [*jobs(smm, nested), *sum_jobs(), *(nested_sum_jobs() if nested else ()), *nmi_jobs(), wide_job()]
    if where == "vmx":
        todo = list(vmx_jobs(vmm))
    with tempfile.TemporaryDirectory() as tmp:
        if where == "here":
            results, why = list(run_here(todo, [vmm], pathlib.Path(tmp))), None
        else:
            results, why = bed.run(where, todo, [vmm], tmp, limit=800 if where == "svm" else 1700,
                                   say=lambda text: print(text, flush=True))
        wrong = [why] if why else []
        for r in results:
            try:
                wrong += [f"{r.job.id}: {what}" for what, good in check_job(r, vmm) if not good]
            except core.Bad as e:
                wrong.append(f"{r.job.id}: {e}")
        wrong += [what for what, good in check_midway(results) if where != "vmx" and not good]
        if where == "here" and not wrong:
            r = next(r for r in results if r.job.id.startswith("checksum.") and half_way(core.load(r.files / "a.core")))
            d = drawn(vmm, r.job.argv[2].split(" && ")[0].replace("--after 0 ", "").split())
            wrong += [what for what, good in check_changed(r.files / "a.core", d, vmm, pathlib.Path(tmp)) if not good]
    for what in wrong:
        print(f"not so: {what}")
    print(f"{len(todo)} machines, {len(wrong)} complaints")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

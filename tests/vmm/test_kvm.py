#!/usr/bin/python3
"""inquest-vmm on a real KVM: what is in its snapshots, and what it leaves behind when things go wrong.

usage: test_kvm.py here|svm INQUEST_VMM DYING_GUEST CONTROL_CLIENT [SEEDS]

here: on this machine's /dev/kvm, however small (exit code 77: there is none); svm: in the svm testbed.
Every snapshot goes through the stranger's reader (core.py) and is compared with what was drawn."""
import json, pathlib, re, shlex, signal, struct, subprocess, sys, tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bed")]
import bed, core  # noqa: E402

SMM = ("smm-spin", "smm-gate-open", "smm-gate-written", "smm-rdtsc-bounded")
MIB = 1 << 20
SEED = "998877665544332211"
POINT_ARGS = ["--scenario", "nmi-served", "--seed", "4", "--vcpus", "2", "--memory", "16"]
RUNS = "inquest-vmm run --scenario hlt-if0 --seed 1 --snapshot"


def jobs(smm, seeds):
    def run(name, scenario, seed, *more):
        return bed.Job(name, ["inquest-vmm", "run", "--scenario", scenario, "--seed", str(seed), "--snapshot", "out.core",
                              *more], 60)

    def shell(name, text):
        return bed.Job(name, ["sh", "-c", text], 60)
    for scenario in ("hlt-if0", "healthy", *(SMM if smm else ())):
        for seed in range(1, 1 + seeds):
            yield run(f"{scenario}.{seed}", scenario, seed, "--memory", "16")
    yield run("hlt-if0.77", "hlt-if0", 77, "--memory", "16", "--vcpus", "8")
    if smm:
        yield run("above-4g", "healthy", 1, "--memory", "3200", "--vcpus", "1")
    yield shell("full", "mkdir tiny && mount -t tmpfs -o size=64k none tiny || exit 9; "
                        f"{RUNS} tiny/x.core --fill --memory 16; code=$?; ls -A tiny; umount tiny; rmdir tiny; exit $code")
    for name in ("INT", "TERM", "KILL"):
        yield shell(f"sig{name}", f"{RUNS} x.core --after 50000 & p=$!; n=0; until ls -A | grep -q tmp; do sleep 0.1; n=$((n+1)); "
                                  f"[ $n -lt 100 ] || exit 9; done; sleep 0.5; kill -{name} $p; wait $p")
    if not smm:
        yield shell("no-smm", f"{RUNS} x.core --scenario smm-spin")
    for name in ("again.1", "again.2"):
        yield shell(name, f"printf '\\177ELF{'.' * 12}\\004\\0old' > x.core; inquest-vmm run --scenario hlt-if0 --snapshot x.core --memory 16 "
                          f"--after 0 --seed {SEED}")
    yield bed.Job("dies", ["dying_guest", "x.core"], 60)
    for how in ("mmio", "panic", "exit"):
        yield bed.Job(f"dies-{how}", ["dying_guest", "x.core", how], 60)
    run_x = "inquest-vmm run --memory 16 --snapshot x.core --seed 3 --scenario"
    yield shell("control", f"{run_x} healthy --control s --timeout 100 & p=$!; control_client s " + shlex.join(SESSION) +
                "; code=$?; wait $p || exit 9; exit $code")
    yield shell("inject", f"{run_x} hlt-if0 --control s --timeout 100 --after 100 & p=$!; control_client s ~1000 " +
                shlex.join(INJECTIONS) + "; wait $p")
    yield shell("inject-irq", f"{run_x} healthy --control s --timeout 100 & p=$!; control_client s ~2000 " +
                shlex.join(['{"do":"pause"}', '{"do":"inject","what":"irq","vcpu":1,"vector":250}',
                            '{"do":"snapshot","file":"a.core"}', '{"do":"quit"}']) + "; wait $p")
    yield shell("sampler", "c=$(inquest-vmm draw --scenario healthy --seed 3 --memory 16 | sed -n 's/^counter.0.=//p'); "
                           f"{run_x} healthy --sampler 100 --word $c --word 0x1000:3 --after 1500")
    yield shell("virtual", f"{run_x} healthy --virtual && inquest-vmm resume x.core --for 100 --snapshot y.core")
    yield shell("usr1", f"{run_x} healthy --after 3000 & p=$!; n=0; until ls -A | grep -q tmp; do sleep 0.1; n=$((n+1)); "
                        "[ $n -lt 100 ] || exit 9; done; sleep 0.3; kill -USR1 $p; wait $p")
    yield shell("nmi-storm", f"{run_x} hlt-if0 --nmi-every 20 --after 100000")
    yield shell("on-post", f"{run_x} checksum --on-post 0x40 && inquest-vmm resume x.core")
    yield shell("no-hang", f"{run_x} hlt-if0 --hang 100 --smm-limit 100 --after 0 --timeout 2")
    args = shlex.join(POINT_ARGS)
    yield shell("points", f"d=$(inquest-vmm draw {args}); h=$(echo \"$d\" | sed -n 's/^high=//p'); e=$(echo \"$d\" | sed -n 's/^entries=//p'); "
                          f"inquest-vmm run {args} --watchpoint ${{h%00000000}}$(printf %08x $e):4 --after 0 --snapshot x.core")
    if smm:
        yield shell("watch", "d=$(inquest-vmm draw --scenario hlt-if0 --seed 3 --memory 16); c=$(echo \"$d\" | sed -n 's/^cpu=//p'); "
                             "w=$(echo \"$d\" | sed -n \"s/^counter.$((1-c)).=//p\"); "
                             f"{run_x} hlt-if0 --watch $w --watch 0x9e000:4096 --after 500 && inquest-vmm resume x.core --for 100 --snapshot y.core")
        yield shell("dies-entry", "dying_guest x.core entry; code=$?; inquest-vmm resume x.core --snapshot y.core && exit 9; exit $code")
        left = "ls /sys/kernel/tracing/instances"
        yield shell("trace", f"{run_x} smm-spin && {left}; {RUNS} y.core --no-trace --memory 16")
        yield shell("trace-term", f"{RUNS} y.core --after 50000 & p=$!; n=0; until {left} | grep -q inquest; do sleep 0.1; n=$((n+1)); "
                                  f"[ $n -lt 100 ] || exit 9; done; kill -TERM $p; wait $p; {left}")
        yield shell("trace-kill", f"{RUNS} y.core --after 50000 & p=$!; n=0; until {left} | grep -q inquest; do sleep 0.1; n=$((n+1)); "
                                  f"[ $n -lt 100 ] || exit 9; done; kill -KILL $p; wait $p; {left}; {run_x} hlt-if0; {left}")
        yield shell("trace-own", f"sh -c 'mkdir /sys/kernel/tracing/instances/inquest-$$ && exec {RUNS} x.core --memory 16'; {left}")
        yield shell("watch-nothing", f"{run_x} hlt-if0 --watch 0xa0000")
        yield shell("hang", f"{run_x} smm-spin --hang 300 --timeout 50 --step-stuck 9 --sampler 50")
        yield shell("smm-limit", f"{run_x} smm-spin --smm-limit 300 --timeout 50")
        yield shell("smi-storm", f"{run_x} healthy --smi-every 20 --after 1000")
        yield shell("step-smm", f"{run_x} smm-spin --control s --timeout 100 & p=$!; control_client s ~2000 " +
                    shlex.join(['{"do":"step","vcpu":0,"n":9}', '{"do":"step","vcpu":1,"n":9}', '{"do":"quit"}']) +
                    "; code=$?; wait $p || exit 9; exit $code")


# Said on the control socket, and how the answer to each begins.
SESSION = ('{"do":"pause"}', '{"do":"snapshot","file":"a.core"}', '{"do":"step","vcpu":0,"n":3}', "nonsense", "@9999",
           '{"do":"fly"}', '{"do":"snapshot","file":"none/b.core"}', '{"do":"resume"}', '{"do":"snapshot","file":"b.core"}',
           '{"do":"quit"}')
ANSWERS = ('{"ok":true,"paused":true}', '{"ok":true,"bytes":', '{"ok":true,"vcpu":0,"wanted":3,"steps":[',
           '{"ok":false,"error":"not a JSON object', '{"ok":false,"error":"more than 4096 bytes"}',
           '{"ok":false,"error":"unknown verb', '{"ok":false,"error":"none/b.core: No such file', '{"ok":true,"paused":false}',
           '{"ok":true,"bytes":', '{"ok":true}')


# One of the two is halted and takes no exception; the other dies of it, as it has no handler.
INJECTIONS = ('{"do":"pause"}', '{"do":"inject","what":"irq","vcpu":1,"vector":250}',
              '{"do":"inject","what":"msi","address":"0xfee00000","data":251}', '{"do":"inject","what":"line","gsi":4,"level":1}',
              *('{"do":"inject","what":"exception","vcpu":%d,"vector":13,"error":56}' % i for i in (0, 1)),
              '{"do":"snapshot","file":"a.core"}', '{"do":"resume"}')


def run_here(todo, programs, out):
    """What bed.run does, without a machine in between."""
    path = out / "bin"
    path.mkdir()
    for p in programs:
        (path / p.name).symlink_to(p.resolve())
    own_mounts = ["unshare", "--mount"]  # so that no mount outlives a killed test; not to be had in a chroot
    if subprocess.run([*own_mounts, "true"], stderr=subprocess.DEVNULL).returncode:
        own_mounts = []
    for job in todo:
        files = out / job.id / "files"
        files.mkdir(parents=True)
        argv = [*own_mounts, *job.argv] if job.id == "full" else job.argv
        with open(out / job.id / "stdout", "wb") as so, open(out / job.id / "stderr", "wb") as se:
            p = subprocess.run(argv, cwd=files, stdin=subprocess.DEVNULL, stdout=so, stderr=se, timeout=job.seconds,
                               env={"PATH": f"{path}:/usr/sbin:/usr/bin:/sbin:/bin"})
        yield bed.Result(job, out / job.id, 128 - p.returncode if p.returncode < 0 else p.returncode, 0.0)


def drawn(vmm, argv):
    args = [a for i, a in enumerate(argv[2:]) if "--snapshot" not in argv[1 + i:3 + i]]
    text = subprocess.run([vmm, "draw", *args], stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in text.splitlines())


def rip_of(c, vcpu):
    cs_base = struct.unpack_from("<Q", c.notes["sregs2", vcpu] or c.notes["sregs", vcpu])[0]
    return cs_base + c.regs(vcpu)["rip"]


def check_gate(c, d):
    hit, gate, width = int(d["cpu"]), int(d["gate"], 0), int(d["width"])
    value = int.from_bytes(c.phys(gate, width, smm=d["gate_in"] == "smram"), "little")
    yield "the gate holds the drawn value", value == int(d["value"], 0)
    yield "rip is in the loop", int(d["loop_first"], 0) <= rip_of(c, hit) < int(d["loop_end"], 0)
    yield "SMM flag of kvm_run", struct.unpack_from("<H", c.notes["run", hit], 14)[0] & 1
    save = int(d["smbase"], 0) + 0xFE00
    yield "save area is in SMRAM", c.phys(save + 0xFC, 4, smm=True) == b"\x64\x00\x02\x00"
    yield "and not in RAM", c.phys(save + 0xFC, 4) == bytes(4)
    yield "the window is the vCPU's own", c.msr(hit, 0x9E) == int(d["smbase"], 0)
    yield "one SMI was counted", c.msr(hit, 0x34) == 1
    if "writer" in d:
        code = int(d["writer"], 0) & 0x7FFFFFFFFF
        yield "the writer names the gate", struct.pack("<I", gate) in c.phys(code, 8)


def check_complete(c, smm):
    """All that KVM has of the machine is there; what is absent, this KVM really lacks."""
    host = dict(line.split("=", 1) for line in c.notes["host", core.VM].decode().splitlines())
    lacks = {"nested": host["kvm.cap.nested_state"] == "0", "sregs": "sregs2" in {k for k, _ in c.notes}}
    for kind in ("pic1", "pic2", "ioapic", "pit2", "clock"):
        yield f"{kind} is there", c.states.get((kind, core.VM)) == (0, 0)
    for i in range(c.nr_vcpus):
        for kind in ("xsave", "xcrs", "nested", "tsc", "stats", "msrs", "lapic", "events", "debugregs", "mp_state"):
            yield f"vcpu {i}: {kind} is there", c.states.get((kind, i)) == ((1, 0) if lacks.get(kind) else (0, 0))
        yield f"vcpu {i}: FPU control word", struct.unpack_from("<H", c.notes["xsave", i])[0] in (0x37F, 0x40)
        yield f"vcpu {i}: x87 state is enabled", struct.unpack_from("<I", c.notes["xcrs", i])[0] == 0 or \
            struct.unpack_from("<Q", c.notes["xcrs", i], 16)[0] & 1
        yield f"vcpu {i}: the TSC runs", struct.unpack_from("<I", c.notes["tsc", i])[0] > 0 and c.msr(i, 0x10) > 0
        yield f"vcpu {i}: counters of KVM", re.search(rb"^exits=[1-9]", c.notes["stats", i], re.M)
        banks = c.msr(i, 0x179) & 0xFF
        leaf1 = [e for e in struct.iter_unpack("<10I", c.notes["cpuid2", i]) if e[0] == 1]
        yield f"vcpu {i}: CPUID tells of the hypervisor", len(leaf1) == 1 and leaf1[0][5] >> 31
        known = {m for m, _, _ in struct.iter_unpack("<IIQ", c.notes["msrs", i])}
        yield f"vcpu {i}: machine-check banks", banks and set(range(0x400, 0x400 + 4 * banks)) <= known
        yield f"vcpu {i}: MTRRs", all(c.msr(i, m) is not None for m in (0x2FF, 0x250, 0x200, 0xFE, 0x277))
        yield f"vcpu {i}: SMBASE", (c.msr(i, 0x9E) is not None) == smm
        if not lacks["nested"]:
            flags, _, size = struct.unpack_from("<HHI", c.notes["nested", i])
            yield f"vcpu {i}: nested state", flags == 0x100 and size >= 128 and len(c.notes["nested", i]) >= 4224


def check_flight(c, i, n):
    records = c.flight[i]
    runs = [r for r in records if r["what"] == 1]
    yield f"vcpu {i}: every KVM_RUN is recorded", len(runs) >= 17 and records[0]["nr"] == 0
    yield f"vcpu {i}: and its setup", [r["reason"] & 0xFF for r in records if r["what"] == 2][:1] == [0x90]  # KVM_SET_CPUID2
    yield f"vcpu {i}: rips are known", all(r["flags"] & 1 for r in runs)
    posts = [r["value"] for r in runs if r["reason"] == 2 and r["addr"] == 0x80]
    yield f"vcpu {i}: POST codes are recorded: {posts}", posts and all(r["flags"] & 0x38 == 0x38 for r in runs if r["reason"] == 2)


def check_last_known(c):
    """vCPU 1 wrote a POST code and died."""
    yield "triple fault: one sample 1", [k for k in c.order if k == "last_known@1"] == ["last_known@1"]
    nr, t, age = struct.unpack("<QQQ", c.notes["last_known@1", 1])
    records = c.flight[1]
    last = records[nr - records[0]["nr"]]
    yield f"triple fault: last known at its last exit: {last}", last["reason"] == 2 and last["addr"] == 0x80 and last["t_ns"] == t
    death = records[-1]
    yield "triple fault: nothing is recorded behind it", death["reason"] == 8 and death["t_ns"] == t + age
    regs, sregs = (c.notes[k + "@1", 1] for k in ("regs", "sregs"))
    rip = struct.unpack_from("<Q", regs, 128)[0] + struct.unpack_from("<Q", sregs)[0]
    yield "triple fault: registers of that moment", rip == last["rip"] and regs[0] == 0x10


def check_roots(c, i, in_smm):
    """Out of SMM what SREGS2 says; in SMM also what the save area says."""
    cr0, _, cr3, cr4, _, efer = struct.unpack_from("<6Q", c.notes["sregs2", i] or c.notes["sregs", i], 224)
    want = {"cr3": cr3, "levels": 0 if not cr0 >> 31 & 1 else 4 if efer & 0x400 else 3 if cr4 & 0x20 else 2}
    if in_smm:
        want["smm_cr3"] = int.from_bytes(c.phys(c.msr(i, 0x9E) + 0xFF50, 8, True), "little")
    return c.roots(i) == want


def check_snapshot(job, c, d, smm):
    yield from check_complete(c, smm)
    n = int(d["vcpus"])
    yield "one set of notes per vCPU", c.nr_vcpus == n == len(c.prstatus)
    yield "all of the memory", sum(s for _, s, _ in c.loads) == int(d["memory_mib"]) * MIB - 0x20000
    high = [s for g, s, _ in c.loads if g >= 1 << 32]
    yield "what is over 3 GiB lies above 4 GiB", sum(high) == max(0, int(d["memory_mib"]) - 3072) * MIB
    yield "windows where they were drawn", sorted(c.smram) == sorted(int(d[f"smbase[{i}]"], 0) for i in range(n) if smm)
    yield "asked for", c.reason == 1 and c.reason_vcpu == core.VM
    for i in range(n):
        in_smm = d["scenario"] in SMM and i == int(d["cpu"])
        halts = d["scenario"] == "hlt-if0" and i == int(d["cpu"])
        yield f"vcpu {i}: SMM flag", (c.notes["events", i][24] == 1) == in_smm
        counted = int.from_bytes(c.phys(int(d[f"counter[{i}]"], 0), 8), "little")
        yield f"vcpu {i}: counts", halts or in_smm or counted > 0
        if halts:
            yield f"vcpu {i}: halted, IF clear", c.notes["mp_state", i][0] == 3 and not c.regs(i)["rflags"] & 0x200
        if d["scenario"] == "healthy":
            svr, lvt = (struct.unpack_from("<I", c.notes["lapic", i], off)[0] for off in (0xF0, 0x320))
            yield f"vcpu {i}: its timer is periodic", svr == 0x1FF and lvt & 0x30000 == 0x20000
        yield from check_flight(c, i, n)
        yield f"vcpu {i}: page-table roots", check_roots(c, i, in_smm)
        rips = c.rips(i)
        yield f"vcpu {i}: {len(rips)} rip samples", len(rips) == 16 and all(a[0] < b[0] for a, b in zip(rips, rips[1:]))
        yield f"vcpu {i}: samples are older than the snapshot", rips[-1][0] <= c.t_mono
        yield f"vcpu {i}: samples know SMM", all(bool(f & 4) == in_smm and f & 2 for _, _, f in rips)
        yield f"vcpu {i}: samples know HLT", all(f & 0x80 for _, _, f in rips) and all(f & 0x40 for _, _, f in rips) >= halts
        if in_smm:
            yield "all samples lie in the loop", all(int(d["loop_first"], 0) <= r < int(d["loop_end"], 0) for _, r, f in rips)
    if "gate" in d:
        yield from check_gate(c, d)


def check_secrets(by, vmm):
    """What was drawn is for tests only; and no two snapshots are the same."""
    nonces = set()
    for name in ("again.1", "again.2"):
        path = by[name].files / "x.core"
        data = path.read_bytes()
        nonces.add(core.load(path).nonce)
        for secret in (b"hlt-if0", SEED.encode(), int(SEED).to_bytes(8, "little")):
            yield f"{name}: {secret} is not in the snapshot", secret not in data
        yield f"{name}: nothing else is left", [p.name for p in by[name].files.iterdir()] == ["x.core"]
    yield "every snapshot has its own nonce", len(nonces) == 2


def check_failures(by, smm):
    full = by["full"]
    yield "full disk: exit code and line", (full.code, full.text("stderr")) == (
        1, "inquest-vmm: tiny/x.core: No space left on device; make room or give a file on another disk\n")
    yield "full disk: nothing left", "x.core\n" not in full.text("stdout") and "tmp" not in full.text("stdout")
    for name in ("INT", "TERM"):
        r = by[f"sig{name}"]
        yield f"SIG{name}: exit code and line: {r.code} {r.text('stderr')!r}", (r.code, r.text("stderr")) == (
            1, "inquest-vmm: x.core: interrupted; nothing was written\n")
        yield f"SIG{name}: nothing left", not list(r.files.iterdir())
    yield "SIGKILL: no snapshot", by["sigKILL"].code == 128 + signal.SIGKILL and not (by["sigKILL"].files / "x.core").exists()
    dies = by["dies"]
    yield f"triple fault: exit code and line: {dies.text('stderr')!r}", (dies.code, dies.text("stderr")) == (
        1, "vCPU 1: triple fault; its snapshot is in x.core\n")
    c = core.load(dies.files / "x.core")
    yield "triple fault: why", (c.reason, c.reason_vcpu) == (2, 1) and c.reason_text == "vCPU 1: triple fault"
    yield from check_last_known(c)
    if not smm:
        yield "no SMM: exit code and line", by["no-smm"].code == 1 and "has no SMM, and smm-spin needs it; " in by["no-smm"].text("stderr")


def check_control(r):
    answers = r.text("stdout").splitlines()
    answers = [a for a in answers if a.startswith("{")]
    yield f"control: exit code {r.code} {r.text('stderr')!r}", r.code == 0
    yield f"control: answers {answers}", len(answers) == len(ANSWERS) and all(
        a.startswith(w) for a, w in zip(answers, ANSWERS))
    yield "control: quit writes nothing, the socket is gone", sorted(p.name for p in r.files.iterdir()) == ["a.core", "b.core"]
    a, b = (core.load(r.files / f"{n}.core") for n in "ab")
    yield "control: two pictures of one guest", a.nonce != b.nonce and a.t_mono < b.t_mono and a.reason == b.reason == 1
    for i in range(a.nr_vcpus):
        yield f"control: vcpu {i} went on", b.flight[i][-1]["nr"] > a.flight[i][-1]["nr"]
    steps = [r for r in b.flight[0] if r["reason"] == 4 and r["what"] == 1]
    answered = json.loads(answers[2])["steps"]
    yield f"control: steps are in the flight record: {answered}", len(steps) == len(answered) and all(
        s["addr"] == int(t["rip"], 0) for s, t in zip(steps, answered))


def check_sampler(r, vmm):
    yield f"sampler: {r.text('stderr')!r}", r.code == 0
    c = core.load(r.files / "x.core")
    d = drawn(vmm, ["inquest-vmm", "run", "--scenario", "healthy", "--seed", "3", "--memory", "16"])
    t, parts, words = c.twin()
    counter = int(d["counter[0]"], 0)
    then, now = (int.from_bytes(b, "little") for b in (words[counter], c.phys(counter, 8)))
    yield f"sampler: the counter went from {then} to {now}", 0 < then < now
    yield "sampler: the other word", words[0x1000] == c.phys(0x1000, 3)
    yield "sampler: the twin is old enough", c.t_mono - t >= 100_000_000 and sorted(parts) == list(range(c.nr_vcpus))
    yield "sampler: each part of it, too", all(100_000_000 <= c.t_mono - p and p <= t for p in parts.values())
    for i in parts:
        for kind in ("regs", "sregs", "events", "lapic", "mp_state"):
            yield f"sampler: vcpu {i}: {kind} of the twin", len(c.notes[kind + "@2", i]) == core.SIZES[kind]
        yield f"sampler: vcpu {i}: its own registers", c.notes["sregs@2", i][224:232] == c.notes["sregs2", i][224:232] if c.notes.get(
            ("sregs2", i)) else True


def check_watch(r, nothing, vmm):
    yield f"watch: exit code {r.code} {r.text('stderr')!r}", r.code == 0
    c = core.load(r.files / "x.core")
    d = drawn(vmm, ["inquest-vmm", "run", "--scenario", "hlt-if0", "--seed", "3", "--memory", "16"])
    who = 1 - int(d["cpu"])
    counter = int(d[f"counter[{who}]"], 0)
    ranges, records = c.writes()
    yield "watch: both ranges", ranges == [(counter, 8), (0x9E000, 4096)]
    yield f"watch: {len(records)} writes to the counter", 0 < len(records) <= 256 and all(
        w["gpa"] == counter and w["vcpu"] == who and w["size"] == 8 and w["value"] == w["old"] + 1 for w in records)
    yield "watch: one after the other", all(a["value"] == b["old"] and a["t_ns"] <= b["t_ns"] for a, b in zip(records, records[1:]))
    yield "watch: the last is what memory holds", records[-1]["value"] == int.from_bytes(c.phys(counter, 8), "little")
    rbx, rip = records[-1]["gpr"][1], records[-1]["rip"]
    yield f"watch: registers: rbx {rbx:x}, rip {rip:x}", rbx & 0xFFF == counter & 0xFFF and rip >> 63
    yield "watch: always the same instruction", all(w["rip"] == rip and w["gpr"][1] == rbx and w["flags"] & 1 for w in records)
    yield "watch: slots of their own", {(s[0], s[4]) for s in c.slots if s[2] == 2} == {
        (space, gpa) for space in (0, 1) for gpa in (counter & ~0xFFF, 0x9E000)}
    resumed = core.load(r.files / "y.core")
    yield "watch: the resumed guest counts on", int.from_bytes(resumed.phys(counter, 8), "little") > records[-1]["value"]
    yield f"watch-nothing: {nothing.text('stderr')!r}", nothing.code == 2 and "no memory of the guest lies there" in nothing.text("stderr")


def check_hits(c, vcpu, gpa, size, code, code_bytes):
    """Stores of one more each time, seen by a debug register."""
    hits = c.writes()[1]
    yield "watchpoint: it fired", hits
    for w in hits:
        unknown = w["nr"] == 0
        yield f"watchpoint: {w}", w["flags"] & 0x701 == (0x301 if unknown else 0x101) and \
            (w["gpa"], w["size"], w["vcpu"]) == (gpa, size, vcpu) and (w["value"] == 1 if unknown else w["value"] == w["old"] + 1)
        yield f"watchpoint: by rip {w['rip']:#x}", 0 <= w["rip"] - code < code_bytes
    yield "watchpoint: the last is what memory holds", hits[-1]["value"] == int.from_bytes(c.phys(gpa, size), "little")


def check_points(r, vmm):
    """Where debug registers do not fire, that is said."""
    if r.code:
        yield f"points: {r.text('stderr')!r}", r.code == 1 and r.text("stderr") == \
            "inquest-vmm: --watchpoint: a test saw none fire on this KVM; give --watch GPA instead\n" and not list(r.files.iterdir())
        return
    d = drawn(vmm, ["inquest-vmm", "run", *POINT_ARGS])
    yield from check_hits(core.load(r.files / "x.core"), int(d["cpu"]), int(d["entries"], 0), 4, int(d["nmi"], 0), 4096)


def check_trace(by):
    r = by["trace"]
    yield f"trace: exit code {r.code} {r.text('stderr')!r}", r.code == 0 and "inquest-" not in r.text("stdout")
    c = core.load(r.files / "x.core")
    smm = next(i for i in range(c.nr_vcpus) if c.notes["events", i][24])
    for i in range(c.nr_vcpus):
        lines = c.notes["trace", i].decode().splitlines()
        parts = [re.fullmatch(r"\[\d{3}\] \S+ +(\d+\.\d{6}): (\w+): .*", line) for line in lines]
        yield f"trace: vcpu {i}: {len(lines)} lines, {lines[:2]}", lines and all(parts)
        names, times = [p[2] for p in parts], [float(p[1]) for p in parts]
        yield f"trace: vcpu {i}: entries and exits {set(names)}", {"kvm_entry", "kvm_exit"} <= set(names)
        yield f"trace: vcpu {i}: in order, before the snapshot", times == sorted(times) and times[-1] * 1e9 <= c.t_mono + 1e6
        yield f"trace: vcpu {i}: {names.count('kvm_smm_transition')} SMIs", ("kvm_smm_transition" in names or "kvm_enter_smm" in names) == (i == smm)
    without = core.load(r.files / "y.core")
    yield "trace: --no-trace", not any(k == "trace" for k, _ in without.notes)
    yield f"trace: SIGTERM removes the instance {by['trace-term'].text('stdout')!r}", "inquest-" not in by["trace-term"].text("stdout").split("y.core")[-1]
    left = re.findall(r"inquest-\d+", by["trace-kill"].text("stdout"))
    yield f"trace: what SIGKILL left is swept by the next run: {left}", len(left) == 1

    own = by["trace-own"]
    yield f"trace: one of a process with the same number is no hindrance {own.text('stderr')!r}", core.load(
        own.files / "x.core").notes.get(("trace", 0)) and "inquest-" not in own.text("stdout").split("x.core")[-1]


def check_stuck(r):
    """The steps lead up to the state of the snapshot."""
    c = core.load(r.files / "x.core")
    hit = c.reason_vcpu
    steps = c.steps(hit)
    yield f"hang: steps of the stuck vCPU {steps}", len(steps) == 9 and all(smm and b for _, smm, b in steps)
    yield "hang: others made none", all(not c.steps(i) for i in range(c.nr_vcpus) if i != hit)
    first, last = steps[0][0], steps[-1][0]
    yield "hang: they are in the flight record", [f["addr"] for f in c.flight[hit] if f["what"] == 1 and f["reason"] == 4][-9:] == [
        s[0] for s in steps] and first and last
    regs = c.step_regs(hit)
    yield "hang: with registers", all(
        r and r["cs_base"] <= rip for r, (rip, _, _) in zip(regs, steps))
    yield "hang: the twin was in SMM, too", c.notes["events@2", hit][24] == 1


def check_inject(r, irq):
    c = core.load(irq.files / "a.core")
    svr, irr = (struct.unpack_from("<I", c.notes["lapic", 1], at)[0] for at in (0xF0, 0x270))
    yield f"inject-irq: {irq.text('stdout')}: waits in IRR", svr & 0x100 and irr >> 250 % 32 & 1
    yield "inject-irq: taken", '{"ok":true,"taken":true}' in irq.text("stdout")
    answers = [json.loads(a) for a in r.text("stdout").splitlines() if a.startswith("{")]
    yield f"inject: answers {answers}", len(answers) == len(INJECTIONS) and [a["ok"] for a in answers].count(False) == 1
    c = core.load(r.files / "a.core")
    for i, vector in ((1, 250), (0, 251)):
        irr = struct.unpack_from("<I", c.notes["lapic", i], 0x200 + vector // 32 * 16)[0]
        svr = struct.unpack_from("<I", c.notes["lapic", i], 0xF0)[0]
        yield f"inject: interrupt {vector} waits in IRR, if the LAPIC is on", irr >> vector % 32 & 1 == svr >> 8 & 1
    yield "inject: line 4 is up", struct.unpack_from("<I", c.notes["ioapic", core.VM], 8 + 16)[0] >> 4 & 1 == 1
    hit = [e for i in (0, 1) for e in [c.notes["events", i]] if e[0] or e[3]]
    yield "inject: one vCPU has the exception", len(hit) == 1 and hit[0][1:3] == b"\x0d\x01" and hit[0][4] == 56
    c = core.load(r.files / "x.core")
    yield f"inject: it came through: {c.reason_text}", r.code == 1 and c.reason == 2


def check_triggers(by, smm):
    want = {"dies-panic": (1, 4, "vCPU 1: the guest panicked"), "dies-exit": (0, 7, "vCPU 1: the guest ended with code 3"),
            "nmi-storm": (1, 2, "triple fault"), "on-post": (0, 1, "POST code 0x40"), "usr1": (0, 1, "asked for, after 3000 ms")}
    if smm:
        want |= {"dies-mmio": (1, 3, "vCPU 1: KVM internal error, suberror 1 (emulation)"),
                 "dies-entry": (1, 8, "vCPU 1: VM entry failed, hardware reason 0xffffffff"), "hang": (0, 5, "for 300 ms, in SMM"),
                 "smm-limit": (0, 6, "in SMM for more than 300 ms"), "smi-storm": (0, 1, "asked for")}
    for name, (code, reason, text) in want.items():
        r = by[name]
        yield f"{name}: exit code {r.code}: {r.text('stderr')!r}", r.code == code
        c = core.load(r.files / "x.core")
        yield f"{name}: reason {c.reason} {c.reason_text!r}", c.reason == reason and text in c.reason_text
    first, last = (core.load(by["usr1"].files / n) for n in ("x.core.1", "x.core"))
    yield "SIGUSR1: the guest went on", first.reason_text == "asked for, by SIGUSR1" and first.t_mono < last.t_mono
    r = by["on-post"]
    c = core.load(r.files / "x.core")
    yield f"on-post: who stood still went on: {r.text('stdout')}", c.reason_vcpu < 2 and \
        set(re.findall(r"^vcpu (\d): .* result ", r.text("stdout"), re.M)) == {"0", "1"}
    r = by["no-hang"]
    yield f"a halted core is no hang: {r.text('stderr')!r}", r.code == 1 and "nothing fired" in r.text("stderr")
    yield "no-hang: nothing is written", not list(r.files.iterdir())
    if smm:
        for name in ("x.core", "y.core"):
            c = core.load(by["dies-entry"].files / name)
            death = [f for f in c.flight[1] if f["what"] == 1][-1]
            yield f"failed entry: {name}: in the flight record: {death}", death["reason"] == 9 and death["value"] & 0xFFFFFFFF == 0xFFFFFFFF
            yield f"failed entry: {name}: reason {c.reason} {c.reason_text!r}", (c.reason, c.reason_vcpu) == (8, 1)
            cs = struct.unpack_from("<QIHBBBBBB", c.notes["sregs2", 1])  # ... type, present, dpl, db, s, l
            yield f"failed entry: {name}: the state that was refused {cs}", (cs[6], cs[8]) == (1, 1)
        c = core.load(by["dies-mmio"].files / "x.core")
        yield "internal error: suberror in the run page", struct.unpack_from("<II", c.notes["run", 1], 8)[0] == 17
        death = [f for f in c.flight[1] if f["what"] == 1][-1]
        yield "internal error: in the flight record", (death["reason"], death["value"], death["flags"] & 16) == (17, 1, 16)
        c = core.load(by["smi-storm"].files / "x.core")
        for i in range(c.nr_vcpus):
            smis = [f for f in c.flight[i] if f["what"] == 2 and f["reason"] == 0xAEB7]
            yield f"vcpu {i}: {c.msr(i, 0x34)} SMIs of {len(smis)}", 2 <= c.msr(i, 0x34) <= len(smis)
        answers = [json.loads(a) for a in by["step-smm"].text("stdout").splitlines() if a.startswith("{")]
        yield f"steps in SMM: {answers}", len(answers) == 3 and any(
            len(a["steps"]) == 9 and all(s["smm"] and s["bytes"] for s in a["steps"]) for a in answers[:2])


def check_virtual(r):
    """The kernel's linear addresses lead gdb to the code that each vCPU runs; the machine goes on all the same."""
    yield f"{r.job.id}: {r.why or r.text('stderr').strip()}", r.code == 0
    if r.code:
        return
    c = core.load(r.files / "x.core")
    for i in range(c.nr_vcpus):
        rip = struct.unpack_from("<Q", c.notes["regs", i], 128)[0]
        at = [gpa + (rip - va) for va, gpa, n in c.views if va <= rip < va + n]
        yield f"{r.job.id}: RIP 0x{rip:x} of vCPU {i} is in no view or in several", len(at) == 1
        code = c.phys(at[0], 8) if at else b""
        out = subprocess.run(["gdb", "-nx", "-batch", "-ex", f"x/8xb {rip:#x}", "-c", r.files / "x.core"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        shown = bytes(int(b, 16) for b in re.findall(r"\t(0x..)\b", out.stdout))
        yield f"{r.job.id}: gdb shows {shown.hex()} at 0x{rip:x}, not {code.hex()}: {out.stderr}", code and shown == code
    yield f"{r.job.id}: resumed without --virtual it has views", not core.load(r.files / "y.core").views


def check_all(results, vmm, smm):
    by = {r.job.id: r for r in results}
    yield from check_failures(by, smm)
    yield from check_secrets(by, vmm)
    yield from check_control(by["control"])
    yield from check_virtual(by["virtual"])
    yield from check_triggers(by, smm)
    yield from check_sampler(by["sampler"], vmm)
    if smm:
        yield from check_stuck(by["hang"])
        yield from check_trace(by)
        yield from check_watch(by["watch"], by["watch-nothing"], vmm)
    yield from check_inject(by["inject"], by["inject-irq"])
    yield from check_points(by["points"], vmm)
    for r in results:
        if "out.core" not in r.job.argv:
            continue
        if r.code != 0:
            yield f"{r.job.id}: exit code {r.code}: {r.why or r.text('stderr').strip()}", False
            continue
        try:
            d = drawn(vmm, r.job.argv)
            for what, good in check_snapshot(r.job, core.load(r.files / "out.core"), d, smm):
                yield f"{r.job.id}: {what}", good
        except core.Bad as e:
            yield f"{r.job.id}: {e}", False


def main():
    where, vmm, *others = sys.argv[1], *(pathlib.Path(p).resolve() for p in sys.argv[2:5])
    seeds = int(sys.argv[5]) if len(sys.argv) > 5 else 2
    if where == "here":
        caps = subprocess.run([vmm, "caps"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if caps.returncode:
            return 77
        smm = "SMM scenarios: can run here" in caps.stdout
    else:
        smm = True
    todo = list(jobs(smm, seeds))
    with tempfile.TemporaryDirectory() as tmp:
        if where == "here":
            results, why = list(run_here(todo, [vmm, *others], pathlib.Path(tmp))), None
        else:
            results, why = bed.run("svm", todo, [vmm, *others], tmp, limit=300)
        wrong = [what for what, good in check_all(results, vmm, smm) if not good] + ([why] if why else [])
    for what in wrong:
        print(f"not so: {what}")
    print(f"{len(todo)} runs, {len(wrong)} complaints")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

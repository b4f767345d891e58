#!/usr/bin/python3
"""From a guest that is really stuck to the named finding: every built-in scenario, run in one boot of a testbed.

usage: scenarios.py [--inquest PATH] [--vmm PATH] [--machine svm|vmx] [--seeds N] [--base SEED]
                    [--only SCENARIO,...] [--keep FOLDER]

inquest-vmm draws a guest from a seed and says what it drew (draw); the core of that guest goes through
inquest, which must name exactly that.  tests/scenarios/NAME.expect lists the findings, all of severity warning
and worse, and those of severity info that matter: a rule, its severity (or several, a|b; with none among them
there may be no such finding) and its subject per line, {cpu} being the drawn one; a line that begins with [svm] or [vmx] holds in that machine only.  Rules that
tests/scenarios/rules-to-come names are left out until inquest has them.  Which guests run in which machine
inquest-vmm itself says."""
import argparse, json, pathlib, re, sqlite3, subprocess, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "vmm")]
import bed, states  # noqa: E402
import core as reader  # noqa: E402

EXPECT = HERE.parent / "scenarios"
README = HERE.parent.parent / "tools" / "readme.py"
BAD = ("error", "fatal")
TO_COME = EXPECT / "rules-to-come"
DEAD_ENDS = ("smm-spin", "smm-dr7gd", "smm-dr7gd-l1", "smm-dr7gd-svm")  # a loop in SMM, on a drawn word


def run(argv):
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stdout, done.stderr


def read_lines(path):
    return [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


def read_expected(path, machine=None):
    """[rule, severity, subject] per line, for that machine or for all."""
    rows = []
    for line in read_lines(path):
        only, rest = re.fullmatch(r"(?:\[(svm|vmx)\] )?(.*)", line).groups()
        if not machine or only in (None, machine):
            rows.append(rest.split(None, 2))
    return rows


def rules_of(inquest):
    code, out, err = run([inquest, "rules"])
    if code:
        raise bed.BedError(f"inquest rules: {err.strip()}")
    return {line.split()[0] for line in out.split("\n\n")[0].splitlines() if line[:1].strip()}


def scenarios_of(vmm):
    """name -> (kind, machines)"""
    code, out, err = run([vmm, "scenarios"])
    if code:
        raise bed.BedError(f"inquest-vmm scenarios: {err.strip()}")
    words = [line.split() for line in out.splitlines() if line[:1].strip()]
    return {w[0]: (w[1], w[2].split(",")) for w in words}


def check_lists(scenarios, rules):
    """Every scenario has its list, and every rule in one is there or to come, but not both."""
    to_come = set(read_lines(TO_COME))
    yield from (f"{rule}: is there and in {TO_COME.name}" for rule in sorted(to_come & rules))
    for name in scenarios:
        if not (EXPECT / f"{name}.expect").is_file():
            yield f"{name}: has no {name}.expect"
            continue
        named = {rule for rule, _, _ in read_expected(EXPECT / f"{name}.expect")}
        yield from (f"{name}.expect: {rule} is neither a rule nor to come" for rule in sorted(named - rules - to_come))


class Case:
    """One scenario with one seed: its job in the machine, and what was drawn for it."""
    machine = "svm"

    def __init__(self, scenario, seed, vcpus=2, after=200):
        self.scenario, self.seed, self.vcpus = scenario, seed, str(vcpus)
        self.name = f"{scenario}.{seed}"
        self.job = bed.Job(self.name, ["inquest-vmm", "run", "--scenario", scenario, "--seed", str(seed),
                                       "--vcpus", self.vcpus, "--after", str(after), "--snapshot", "out.core"], 20)

    def draw(self, vmm):
        code, out, err = run([vmm, "draw", "--scenario", self.scenario, "--seed", self.seed, "--vcpus", self.vcpus])
        if code:
            raise bed.BedError(f"inquest-vmm draw: {err.strip()}")
        self.drawn = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def expected(self, rules):
        """[(rule, allowed severities, subject)], of the rules that there are."""
        rows = read_expected(EXPECT / f"{self.scenario}.expect", self.machine)
        return sorted((rule, severity, subject.format(**self.drawn)) for rule, severity, subject in rows
                      if rule in rules)


def check_findings(case, report, code, rules):
    """The report's findings are exactly the expected ones, and its exit code says the same."""
    expected = case.expected(rules)
    listed = {rule for rule, _, _ in expected}
    got = sorted((f["rule"], f["severity"], f["subject"]) for f in report["findings"]
                 if f["severity"] != "info" or f["rule"] in listed)
    found = {(rule, subject) for rule, _, subject in got}
    wanted = [w for w in expected if "none" not in w[1].split("|") or (w[0], w[2]) in found]
    if len(got) != len(wanted) or any(g[::2] != w[::2] or g[1] not in w[1].split("|") for g, w in zip(got, wanted)):
        yield f"findings are {got}, not {wanted}"
    if code != any(severity.split("|")[0] in BAD for _, severity, _ in wanted):
        yield f"inquest report ended with exit code {code}"


def check_gate(case, report, index):
    """The drawn CPU waits on the drawn address, holding the drawn value, in the drawn instruction."""
    d = case.drawn
    wanted = [(int(d["cpu"]), int(d["gate"], 0), int(d["value"], 0), int(d["insn"], 0))]
    rows = index.execute("SELECT DISTINCT g.cpu, g.phys, g.value, g.insn_addr, g.insn FROM loop_gate g"
                         " JOIN evidence e ON e.tbl = 'loop_gate' AND e.row = g.rowid").fetchall()
    mask = (1 << 64) - 1
    got = [(cpu, phys & mask, None if value is None else value & mask, insn & mask) for cpu, phys, value, insn, _ in rows]
    if got != wanted:
        yield f"gates in evidence (cpu, address, value, instruction) are {got}, not {wanted}"
    fatal = any(f["severity"] == "fatal" for f in report["findings"])
    if fatal != (d["private"] == "yes"):
        yield f"a gate on the handler's own stack is fatal, another is not: {fatal}, private={d['private']}"
    texts = " ".join(e["text"] for f in report["findings"] if f["rule"] == "smm-tight-loop" for e in f["evidence"])
    for key in ("gate", "value", "insn"):
        if not re.search(rf"\b0x0*{int(d[key], 0):x}\b", texts):
            yield f"the evidence does not name {key} {d[key]}"
    if rows and rows[0][4] not in texts:
        yield f"the evidence does not show the instruction {rows[0][4]!r}"


def check_core(case, inquest, core, tmp, rules):
    code, out, err = run([inquest, "report", "--json", core])
    if code not in (0, 1):
        yield f"inquest report: exit code {code}: {err.strip()}"
        return
    report = json.loads(out)
    yield from check_findings(case, report, code, rules)
    path = tmp / f"{case.name}.inq"
    code, _, err = run([inquest, "index", "-o", path, core])
    if code not in (0, 1):
        yield f"inquest index: exit code {code}: {err.strip()}"
        return
    index = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    gaps = index.execute("SELECT count(*) FROM gap").fetchone()[0]
    if gaps and case.scenario not in states.WITH_GAPS:
        yield f"{gaps} gaps in a whole core"
    if case.scenario in DEAD_ENDS:
        yield from check_gate(case, report, index)
    index.close()


def walk(inquest, core, place):
    code, out, err = run([inquest, "pt", "--json", core, place])
    if code:
        raise bed.BedError(f"inquest pt {place}: exit code {code}: {err.strip()}")
    return json.loads(out)["rows"]


def check_walks(case, inquest, core, c):
    """Through L2's page tables and L1's below them: L2's code is found where it lies, its store stops at the damaged entry."""
    d, cpu = case.drawn, int(case.drawn["cpu"])
    vmx = states.is_vmx(c, cpu)
    if not vmx and not states.in_l2(c, d, cpu):
        return  # a VMCB is L2's only while L2 runs
    high, insn, linear, entry = (int(d[key], 0) for key in ("high", "l2_insn", "linear", "entry"))
    value = int(d["ept_value" if vmx else "entry_value"], 0)
    rows = walk(inquest, core, f"nested{cpu}-virt:{insn:#x}")
    if rows[-1]["table"] != "page" or int(rows[-1]["at"], 0) != insn - high or not all(r["ok"] for r in rows):
        yield f"L2's instruction lies at 0x{insn - high:x}, and inquest pt ends with {rows[-1]}"
    rows = walk(inquest, core, f"nested{cpu}-virt:{linear:#x}")
    used = 0x60  # accessed and dirty: the CPU may have set them
    bad = [(r["space"], int(r["at"], 0), int(r["entry"], 0) | used) for r in rows if not r["ok"] and r["entry"]]
    if rows[-1]["ok"] or int(rows[-1]["at"], 0) != linear - high or bad != [(f"nested{cpu}", entry, value | used)]:
        yield f"L2's store hits the entry 0x{value:x} at 0x{entry:x}, and inquest pt says {bad}, ends with {rows[-1]}"


def check_stack(case, inquest, core, c):
    """The drawn CPU's stack goes through each world that it is in, at the addresses that the raw notes tell."""
    if "cpu" not in case.drawn:
        return
    cpu = int(case.drawn["cpu"])
    code, out, err = run([inquest, "sql", "--json", core, f"SELECT how, mode, pc, note FROM bt_cpu({cpu}) WHERE pc IS NOT NULL"])
    if code:
        yield f"inquest sql: exit code {code}: {err.strip()}"
        return
    mask = (1 << 64) - 1
    got = [(r["how"], r["mode"], r["pc"] & mask, r["note"] or "") for r in json.loads(out)["rows"]]
    got = [g for g in got if g[0] in ("registers", "save area", "hypervisor")]
    wanted = list(states.worlds(c, case.drawn, cpu))
    if [g[:3] for g in got] != [w[:3] for w in wanted]:
        yield f"the stack of core {cpu} goes through {got}, not {wanted}"
    yield from (f"core {cpu}: {w[3]!r} is not said of {g}" for g, w in zip(got, wanted) if w[3] not in g[3])


def check_peers(case, core, tmp):
    """Other people's tools read what we write."""
    _, out, err = run(["gdb", "-nx", "-batch", "-ex", "info threads", "-c", core])
    threads = re.findall(r"^[* ]+\d+ +(?:LWP|Thread|process) ", out, re.M)
    if len(threads) != int(case.drawn["vcpus"]):
        yield f"gdb shows {len(threads)} threads: {(out + err).strip()!r}"
    _, out, _ = run(["readelf", "-nW", core])
    for name in ("CORE", "INQUEST"):
        if not re.search(rf"^\s+{name}\s+0x", out, re.M):
            yield f"readelf -n lists no {name} note"
    path = tmp / f"{case.name}.inq"
    code, out, err = run(["sqlite3", path, "select * from finding"])
    if code or "smm-tight-loop" not in out:
        yield f"sqlite3 cannot read the findings: {err.strip() or out!r}"


def check_case(case, result, inquest, tmp, rules):
    if result.code != 0:
        yield f"no snapshot: {result.why or f'exit code {result.code}'}: {result.text('stderr').strip()}"
        return
    core = result.files / "out.core"
    left = sorted(p.name for p in result.files.iterdir())
    if left != ["out.core"]:
        yield f"inquest-vmm left {left}"
        return
    try:
        c = reader.load(core)
        yield from states.wrong(case.scenario, c, case.drawn)
        if case.scenario == "ept-misconfig":
            yield from check_walks(case, inquest, core, c)
        yield from check_stack(case, inquest, core, c)
    except reader.Bad as e:
        yield f"core.py: {e}"
    yield from check_core(case, inquest, core, tmp, rules)


def check_readme(result, inquest):
    """The README's transcript is what a run of its seed prints."""
    if result.code == 0:
        code, out, err = run([sys.executable, README, "--check", inquest, result.files / "out.core"])
        if code:
            yield (out + err).strip()


def readme_case():
    code, out, err = run([sys.executable, README, "--seed"])
    if code:
        raise bed.BedError(err.strip())
    return Case("smm-spin", int(out))


def cases_of(machine, scenarios, seeds, base):
    """smm-spin, whose code differs most from seed to seed, gets all of them; in Bochs time is dear."""
    here = {name: kind for name, (kind, machines) in scenarios.items() if machine in machines}
    if machine == "vmx":
        # one CPU is all that Bochs has: a second vCPU would halve what the first one gets; and a second of its clock
        # is a minute or more
        yield from (Case(name, base, 1 if name.startswith(("smm-dr7gd", "nmi-")) else 2, 20) for name in here)
        return
    few = max(3, seeds // 5)
    vcpus = {"smm-rendezvous": 3}
    yield from (Case("smm-spin", base + n) for n in range(seeds))
    if not base <= readme_case().seed < base + seeds:
        yield readme_case()
    for name, kind in here.items():
        if name != "smm-spin":
            yield from (Case(name, base + n, vcpus.get(name, 2)) for n in range(few + (kind == "near-miss")))


def check_all(cases, results, inquest, tmp, rules):
    by = {r.job.id: r for r in results}
    caps = by["caps"]
    if caps.code != 0 or not re.search(r"^x86_smm +1 +present", caps.text("stdout"), re.M):
        yield f"caps: no SMM in the testbed: {caps.why or caps.text('stderr').strip() or caps.text('stdout')!r}"
    for case in cases:
        yield from (f"{case.name}: {what}" for what in check_case(case, by[case.name], inquest, tmp, rules))
    first = cases[0]
    readme = by.get(readme_case().name)
    if first.scenario == "smm-spin" and by[first.name].code == 0 and readme:
        yield from (f"README: {what}" for what in check_readme(readme, inquest))
        yield from (f"{first.name}: {what}" for what in
                    check_peers(first, by[first.name].files / "out.core", tmp))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--inquest", default="build/inquest")
    ap.add_argument("--vmm", default="build/inquest-vmm")
    ap.add_argument("--machine", choices=("svm", "vmx"), default="svm")
    ap.add_argument("--seeds", type=int, default=20)
    ap.add_argument("--base", type=int, default=1)
    ap.add_argument("--only", help="scenarios, with commas between")
    ap.add_argument("--keep", type=pathlib.Path)
    args = ap.parse_args()
    cases = []
    try:
        scenarios, rules = scenarios_of(args.vmm), rules_of(args.inquest)
        cases = list(cases_of(args.machine, scenarios, args.seeds, args.base))
        for case in cases:
            case.machine = args.machine
        if args.only:
            cases = [c for c in cases if c.scenario in args.only.split(",")]
        if not cases:
            raise bed.BedError("no such scenario runs here; inquest-vmm scenarios lists them")
        with tempfile.TemporaryDirectory() as tmp:
            tmp = pathlib.Path(tmp)
            for case in cases:
                case.draw(args.vmm)
            jobs = [bed.Job("caps", ["inquest-vmm", "caps"])] + [c.job for c in cases]
            results, why = bed.run(args.machine, jobs, [args.vmm], args.keep or tmp / "bed", 420 + (120 if args.machine == "vmx" else 2) * len(cases))
            wrong = [*check_lists(scenarios, rules), *check_all(cases, results, args.inquest, tmp, rules),
                     *([why] if why else [])]
    except (bed.BedError, OSError) as e:
        wrong = [str(e)]
    for what in wrong:
        print(f"not so: {what}")
    print(f"{len(cases)} guests, {len(wrong)} complaints")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""What a snapshot and a report cost, beside what this machine can do at all.

usage: bench.py [--build FOLDER] [--rounds N] [--mib N] [--only own|dumps|linux]

Writing: inquest-vmm writes a guest whose memory is filled, as a core, live and compressed; the same bytes are
written and synced to the same disk, and copied in memory; QEMU dumps a guest that has the same bytes as its
memory (dump-guest-memory, synced), all in turns.  Reading: inquest report on that core, wall time and the peak
of its anonymous memory (RssAnon: mapped pages of the core are not counted).  Medians of all rounds.
Recording: what an exit of a guest costs without a record, with the flight record, and with KVM's tracepoints
(tracefs) as well, in turns in one run.  What this machine cannot do for lack of KVM or tracefs is run in the
svm testbed: an emulated machine, of which only the ratios say something.  Without KVM the writer writes memory
that no guest ran in, and there is neither a live snapshot nor a report.
Dumps of others: see bench_dumps.py; what Linux keeps of itself in them: bench_linux.py."""
import argparse, mmap, os, pathlib, re, shutil, statistics, subprocess, sys, time

sys.dont_write_bytecode = True
import bench_dumps, bench_linux  # noqa: E402
from kernel import BedError  # noqa: E402
from qmp import Qmp  # noqa: E402

WRITE_LIMIT = 1.2        # times write + fsync
PAUSE_LIMIT_MS = 50      # of a live snapshot
REPORT_LIMIT_S = 0.2
ANON_LIMIT_MIB = 48
CHUNK = 4 << 20


class BenchError(Exception):
    pass


def cpu_name():
    found = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return found.group(1) if found else "unknown CPU"


def settle(seconds=4):
    """Nothing of one measurement may still be on its way to the disk, or to the disk behind it, in the next."""
    os.sync()
    time.sleep(seconds)


def has_kvm():
    return os.path.exists("/dev/kvm")


def snapshot(build, core, mib, form="elf", live=False):
    """Seconds that the writing of the core took, or of a live one the pause, as inquest-vmm says with --timing."""
    core.unlink(missing_ok=True)
    settle()
    argv = [build / "inquest-vmm", "run", "--scenario", "healthy", "--memory", str(mib), "--fill", "--timing",
            "--format", form, *(["--live"] if live else []), "--snapshot", core]
    if not has_kvm():
        argv = [build / "tests" / "vmm" / "write_cost", core, str(mib), form]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = re.search(rf"^{'pause_ns' if live else 'write_ns'}=(\d+)$", done.stdout, re.M)
    if done.returncode or not found:
        raise BenchError(f"{argv[0].name}: exit {done.returncode}: {(done.stdout.strip().splitlines() or ['silent'])[-1]}")
    return int(found.group(1)) / 1e9


class Qemu:
    """A machine that never ran, whose memory is a file with the core's bytes."""

    def __init__(self, data, mib, folder):
        self.ram, self.sock, self.dump = folder / "ram", folder / "qmp", folder / "qemu.dump"
        with open(self.ram, "wb") as f:
            f.write(data[:mib << 20])
            f.truncate(mib << 20)
        self.child = subprocess.Popen(
            ["qemu-system-x86_64", "-S", "-accel", "tcg", "-M", "pc,memory-backend=ram", "-m", f"{mib}M", "-object",
             f"memory-backend-file,id=ram,mem-path={self.ram},size={mib}M,share=on", "-display", "none", "-nodefaults",
             "-qmp", f"unix:{self.sock},server=on,wait=off"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        self.qmp = Qmp(self.sock)

    def write(self, form):
        self.dump.unlink(missing_ok=True)
        settle()
        began = time.monotonic()
        self.qmp.ask("dump-guest-memory", paging=False, protocol=f"file:{self.dump}", **({"format": form} if form != "elf" else {}))
        fd = os.open(self.dump, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        took = time.monotonic() - began
        self.dump.unlink()
        return took

    def close(self):
        self.qmp.close()
        self.child.kill()
        self.child.wait()
        self.ram.unlink()


def write_sync(data, path):
    path.unlink(missing_ok=True)
    settle()
    began = time.monotonic()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        for at in range(0, len(data), CHUNK):
            part = data[at:at + CHUNK]
            while part:
                part = part[os.write(fd, part):]
        os.fsync(fd)
    finally:
        os.close(fd)
    took = time.monotonic() - began
    path.unlink()
    return took


def copy(data, target):
    began = time.monotonic()
    target[:] = data
    return time.monotonic() - began


def report_time(inquest, core):
    began = time.monotonic()
    done = subprocess.run([inquest, "report", core], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    took = time.monotonic() - began
    if done.returncode not in (0, 1) or not done.stdout:
        raise BenchError(f"inquest report: exit {done.returncode}: {done.stderr.strip()}")
    return took


def measure_writes(args, core, folder):
    mib = args.mib
    times = {}
    snapshot(args.build, core, mib)  # the bytes to write beside it; not counted
    size = core.stat().st_size
    source, target = mmap.mmap(-1, size), mmap.mmap(-1, size)
    with open(core, "rb") as f:
        f.readinto(source)
    copy(source, target)  # so that its pages exist
    build, spare = args.build, folder / "spare.core"
    view = memoryview(source)
    qemu = Qemu(view, mib, folder) if shutil.which("qemu-system-x86_64") else None
    for n in range(args.rounds):
        steps = [("snapshot", lambda: snapshot(build, core, mib)),
                 ("write", lambda: write_sync(view, folder / "plain")),
                 ("memcpy", lambda: copy(view, target)),
                 ("kdump-zlib", lambda: snapshot(build, spare, mib, "kdump-zlib")),
                 ("kdump-zstd", lambda: snapshot(build, spare, mib, "kdump-zstd"))]
        if has_kvm():
            steps += [("pause", lambda: snapshot(build, spare, mib, live=True))]
        if qemu:
            steps += [("qemu", lambda: qemu.write("elf")), ("qemu kdump-zlib", lambda: qemu.write("kdump-zlib"))]
        for name, step in (steps if n % 2 == 0 else reversed(steps)):
            times.setdefault(name, []).append(step())
    if qemu:
        qemu.close()
    spare.unlink()
    view.release()
    return {name: statistics.median(t) for name, t in times.items()}, times, size


def row(what, value, unit, limit=None):
    tail = "" if limit is None else f"{limit:10.2f} {value / limit:9.2f}"
    print(f"{what:<50}{value:10.3f} {unit:<6}{tail}")


def figures(text):
    return {name: float(value) for name, value in re.findall(r"^(\w+)=([\d.]+)$", text, re.M)}


def flight_costs(tool):
    """What is recorded of each exit costs, in ns; empty when the tool cannot run a guest."""
    done = subprocess.run([tool], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    return figures(done.stdout) if done.returncode == 0 else {}


def testbed_costs(tool, folder):
    """The same in the svm testbed."""
    bed = pathlib.Path(__file__).resolve().parent.parent / "tests" / "bed" / "bed.py"
    done = subprocess.run([sys.executable, bed, "svm", "--carry", tool, "--out", folder / "bed", "--job",
                           f"cost,300: {tool.name}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise BenchError(f"svm testbed: {(done.stdout.strip().splitlines() or ['silent'])[-1]}")
    return figures((folder / "bed" / "cost" / "stdout").read_text())


def cost_rows(costs):
    plain = costs.get("exit_ns")
    for name, what, ratio in (
            ("record_ns", "flight record, a record", None), ("exit_ns", "an exit for port I/O, without it", None),
            ("exit_with_record_ns", "the same with SYNC_REGS and a record", "exit with a record / without"),
            ("exit_with_trace_ns", "the same with KVM's tracepoints, too", "exit with a record and tracepoints / without")):
        if name in costs:
            row(what, costs[name], "ns")
        if name in costs and ratio and plain:
            row(ratio, costs[name] / plain, "x")


def bench_snapshots(args, folder):
    core = folder / "bench.core"
    medians, times, size = measure_writes(args, core, folder)
    gib = size / (1 << 30)
    print(f"{cpu_name()}, {os.cpu_count()} CPUs, Linux {os.uname().release}; guest of {args.mib} MiB, filled; "
          f"core of {size / (1 << 20):.0f} MiB; {args.rounds} rounds, medians")
    print(f"{'':<50}{'measured':>10} {'':<6}{'limit':>10} {'of limit':>9}")
    row("snapshot, written, synced and renamed", medians["snapshot"] / gib, "s/GiB")
    row("write + fsync of the same bytes", medians["write"] / gib, "s/GiB")
    row("memcpy of the same bytes", medians["memcpy"] / gib, "s/GiB")
    row("snapshot / (write + fsync)", medians["snapshot"] / medians["write"], "x", WRITE_LIMIT)
    if "pause" in medians:
        row("live snapshot, the guest stands still for", medians["pause"] * 1e3, "ms", PAUSE_LIMIT_MS)
    row("kdump-zlib, written, synced and renamed", medians["kdump-zlib"] / gib, "s/GiB")
    row("kdump-zstd, written, synced and renamed", medians["kdump-zstd"] / gib, "s/GiB")
    if "qemu" in medians:
        row("QEMU's dump-guest-memory, and fsync", medians["qemu"] / gib, "s/GiB")
        row("QEMU's dump-guest-memory as kdump-zlib, and fsync", medians["qemu kdump-zlib"] / gib, "s/GiB")
        row("snapshot / QEMU's", medians["snapshot"] / medians["qemu"], "x")
        row("kdump-zlib / QEMU's", medians["kdump-zlib"] / medians["qemu kdump-zlib"], "x")
    if has_kvm():
        report_rows(args, core)
    return times


def report_rows(args, core):
    reports = [report_time(args.build / "inquest", core) for _ in range(2 * args.rounds)]
    anon = max(bench_linux.peak_anon([args.build / "inquest", "report", core]) for _ in range(args.rounds))
    row("report to verdict", statistics.median(reports), "s", REPORT_LIMIT_S)
    row("report, peak of RssAnon", anon, "MiB", ANON_LIMIT_MIB)


def bench(args, folder):
    tool = args.build / "tests" / "vmm" / "flight_cost"
    times = bench_snapshots(args, folder)
    costs = flight_costs(tool) if has_kvm() else {}
    cost_rows(costs)
    if "exit_with_trace_ns" not in costs:
        print("in the svm testbed, an emulated machine: of these figures only the ratios say something")
        cost_rows(testbed_costs(tool, folder))
    print("rounds: " + "; ".join(f"{name} " + " ".join(f"{t:.2f}" for t in all_) for name, all_ in times.items()))
    if not has_kvm():
        print("/dev/kvm: no such device: written without a guest; live snapshots and reports are not timed")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--mib", type=int, default=1024)
    ap.add_argument("--only", choices=["own", "dumps", "linux"])
    args = ap.parse_args()
    folder = args.build / "bench"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if args.only in (None, "own"):
            bench(args, folder)
        if args.only in (None, "dumps"):
            bench_dumps.bench(args, folder, row)
        if args.only in (None, "linux"):
            bench_linux.bench(args, folder, row)
    except (BenchError, BedError, OSError, subprocess.CalledProcessError) as e:
        print(f"bench: {e}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

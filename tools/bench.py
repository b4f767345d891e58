#!/usr/bin/python3
"""What a snapshot and a report cost, beside what this machine can do at all.

usage: bench.py [--build FOLDER] [--rounds N] [--mib N]

Writing: inquest-vmm writes a guest whose memory is filled; the same bytes are written and synced to the
same disk, and copied in memory, in turns.  Reading: inquest report on that core, wall time and the peak
of its anonymous memory (RssAnon: mapped pages of the core are not counted).  Medians of all rounds."""
import argparse, mmap, os, pathlib, re, shutil, statistics, subprocess, sys, time

WRITE_LIMIT = 1.2        # times write + fsync
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


def snapshot(vmm, core, mib):
    """Seconds that the writing of the core took, as inquest-vmm says with --timing."""
    core.unlink(missing_ok=True)
    settle()
    done = subprocess.run([vmm, "run", "--scenario", "healthy", "--memory", str(mib), "--fill", "--timing",
                           "--snapshot", core], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    found = re.search(r"^write_ns=(\d+)$", done.stdout, re.M)
    if done.returncode or not found:
        raise BenchError(f"inquest-vmm: exit {done.returncode}: {(done.stdout.strip().splitlines() or ['silent'])[-1]}")
    return int(found.group(1)) / 1e9


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


def report_anon(inquest, core):
    """Highest RssAnon in MiB that was seen; polled as fast as it goes, in runs that are not timed."""
    child = subprocess.Popen([inquest, "report", core], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    status = open(f"/proc/{child.pid}/status", "rb", buffering=0)
    peak = samples = 0
    while child.poll() is None:
        status.seek(0)
        try:
            found = re.search(rb"RssAnon:\s+(\d+) kB", status.read())
        except ProcessLookupError:
            break
        if found:
            samples += 1
            peak = max(peak, int(found.group(1)))
    child.wait()
    if not samples:
        raise BenchError("inquest report: ended before its memory could be seen")
    return peak / 1024


def measure_writes(args, core, folder):
    mib = args.mib
    snapshot(args.build / "inquest-vmm", core, mib)  # the bytes to write beside it; not counted
    size = core.stat().st_size
    source, target = mmap.mmap(-1, size), mmap.mmap(-1, size)
    with open(core, "rb") as f:
        f.readinto(source)
    copy(source, target)  # so that its pages exist
    times = {"snapshot": [], "write": [], "memcpy": []}
    view = memoryview(source)
    for n in range(args.rounds):
        steps = [("snapshot", lambda: snapshot(args.build / "inquest-vmm", core, mib)),
                 ("write", lambda: write_sync(view, folder / "plain")),
                 ("memcpy", lambda: copy(view, target))]
        for name, step in (steps if n % 2 == 0 else reversed(steps)):
            times[name].append(step())
    view.release()
    return {name: statistics.median(t) for name, t in times.items()}, times, size


def row(what, value, unit, limit=None):
    tail = "" if limit is None else f"{limit:10.2f} {value / limit:9.2f}"
    print(f"{what:<44}{value:10.3f} {unit:<6}{tail}")


def flight_costs(tool):
    """What the flight record costs, in ns; empty when the tool cannot run a guest."""
    done = subprocess.run([tool], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    return dict(re.findall(r"^(\w+)=([\d.]+)$", done.stdout, re.M)) if done.returncode == 0 else {}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--mib", type=int, default=1024)
    args = ap.parse_args()
    folder = args.build / "bench"
    core = folder / "bench.core"
    try:
        if not os.path.exists("/dev/kvm"):
            raise BenchError("/dev/kvm: no such device, so no snapshot can be timed here")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        medians, times, size = measure_writes(args, core, folder)
        costs = flight_costs(args.build / "tests" / "vmm" / "flight_cost")
        reports = [report_time(args.build / "inquest", core) for _ in range(2 * args.rounds)]
        anon = max(report_anon(args.build / "inquest", core) for _ in range(args.rounds))
    except (BenchError, OSError) as e:
        print(f"bench: {e}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    gib = size / (1 << 30)
    print(f"{cpu_name()}, {os.cpu_count()} CPUs, Linux {os.uname().release}; guest of {args.mib} MiB, filled; "
          f"core of {size / (1 << 20):.0f} MiB; {args.rounds} rounds, medians")
    print(f"{'':<44}{'measured':>10} {'':<6}{'limit':>10} {'of limit':>9}")
    row("snapshot, written, synced and renamed", medians["snapshot"] / gib, "s/GiB")
    row("write + fsync of the same bytes", medians["write"] / gib, "s/GiB")
    row("memcpy of the same bytes", medians["memcpy"] / gib, "s/GiB")
    row("snapshot / (write + fsync)", medians["snapshot"] / medians["write"], "x", WRITE_LIMIT)
    row("report to verdict", statistics.median(reports), "s", REPORT_LIMIT_S)
    row("report, peak of RssAnon", anon, "MiB", ANON_LIMIT_MIB)
    for name, what in (("record_ns", "flight record, a record"), ("exit_ns", "an exit for port I/O, without it"),
                       ("exit_with_record_ns", "the same with SYNC_REGS and a record")):
        if name in costs:
            row(what, float(costs[name]), "ns")
    print("rounds: " + "; ".join(f"{name} " + " ".join(f"{t:.2f}" for t in all_) for name, all_ in times.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

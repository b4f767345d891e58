#!/usr/bin/python3
"""Run a list of jobs inside one boot of an emulated machine that has a real KVM with SMM and nesting.

usage: bed.py svm|vmx [--carry PROGRAM]... [--job 'ID[,SECONDS]: ARGV']... [--jobs FILE] --out FOLDER
               [--limit SECONDS] [--no-la57] [--cpus N]
       bed.py fetch

A job is an argument line, run with an empty folder of its own as working folder; whatever it leaves
there comes out again.  --carry puts a program (with its libraries) into the machine's PATH.  FILE holds
one --job per line.  FOLDER/ID gets exit (code, start, end in seconds of guest time), stdout, stderr and
files/.  Exit code 0: every job ran and returned 0.  fetch only gets the machines' kernel into the cache."""
import argparse, dataclasses, os, pathlib, re, shlex, shutil, sys, tempfile, time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import image  # noqa: E402
from kernel import BedError, Kernel, run_quiet  # noqa: E402
from machines import MACHINES, reason  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
BUSYBOX = "/bin/busybox"
TAR = "/bin/tar"
BOOTS = 3
DISK_SIZE = 8 << 30  # sparse: costs what is written


@dataclasses.dataclass
class Job:
    id: str
    argv: list
    seconds: int = 30


@dataclasses.dataclass
class Result:
    """What came back of a job.  code is None when it never ended: why says what happened."""
    job: Job
    folder: pathlib.Path
    code: int = None
    seconds: float = None
    why: str = None

    @property
    def files(self):
        return self.folder / "files"

    def text(self, name):
        try:
            return (self.folder / name).read_text("utf-8", "replace")
        except OSError:
            return ""


def check_jobs(jobs):
    seen = set()
    for job in jobs:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", job.id) or job.id in seen or not job.argv:
            raise BedError(f"job {job.id!r}: bad or repeated id, or no command")
        seen.add(job.id)


def make_initrd(path, kernel, machine, programs, jobs):
    """The whole root of the machine, as one uncompressed cpio."""
    cpio = image.Cpio(path)
    for folder in ("dev", "proc", "sys", "run", "tmp", "bin"):
        cpio.folder(folder)
    if not os.path.exists(BUSYBOX):
        raise BedError(f"{BUSYBOX}: not installed (package busybox-static)")
    cpio.file("bin/busybox", pathlib.Path(BUSYBOX).read_bytes())
    cpio.file("init", (HERE / "init").read_bytes())
    wanted = dict(machine.modules)
    lines = []
    for module in kernel.modules(list(wanted)):
        cpio.file("modules/" + module.name, module.read_bytes(), 0o644)
        lines.append(f"{module.name} {wanted.get(module.stem, '')}\n")
    cpio.file("modules/list", "".join(lines).encode(), 0o644)
    image.carry(cpio, [TAR, *programs], run_quiet)
    cpio.file("jobs/disk", machine.disk.encode() + b"\n", 0o644)
    cpio.file("jobs/list", "".join(f"{j.id} {j.seconds}\n" for j in jobs).encode(), 0o644)
    for job in jobs:
        cpio.file(f"jobs/{job.id}.sh", ("exec " + shlex.join(job.argv) + "\n").encode(), 0o644)
    cpio.close()


class Watch:
    """Follows the console of one boot.  why: what went wrong, or None; stalled: the machine itself hung."""

    def __init__(self, machine, jobs, end, say):
        self.machine, self.end, self.say = machine, end, say
        self.limits = {j.id: j.seconds for j in jobs}
        self.began, self.job, self.stalled = time.monotonic(), None, False
        self.stage_end = self.began + machine.patience[0]
        self.why = self.follow()

    def where(self):
        return "before the first job" if self.job is None else f"in job {self.job}"

    def line(self, what, rest):
        """True at the end."""
        if what == "start":
            self.job = rest
            _, extra, rate = self.machine.patience
            self.stage_end = time.monotonic() + extra + rate * self.limits.get(rest, 0)
        elif what == "error":
            raise BedError("guest: " + rest)
        self.say(f"{time.monotonic() - self.began:6.1f} s  {what} {rest}")
        return what == "end"

    def follow(self):
        for line in self.machine.lines(lambda: min(self.end, self.stage_end)):
            if line is None:
                self.stalled = time.monotonic() < self.end
                return f"watchdog: the machine {'hung' if self.stalled else 'took too long'} {self.where()} and was ended"
            found = re.search(r"BED (up|start|done|end|error)\b ?(.*)", line)
            try:
                if found and self.line(*found.groups()):
                    return None
            except BedError as e:
                return str(e)
        return f"machine stopped by itself {self.where()}: {reason(self.machine.work)}"


def collect(jobs, out, why):
    results = []
    for job in jobs:
        result = Result(job, out / job.id)
        words = result.text("exit").split()
        if len(words) == 3:
            result.code, result.seconds = int(words[0]), float(words[2]) - float(words[1])
            if result.code == 137 and result.seconds >= job.seconds:
                result.why = f"killed after {job.seconds} s"
        else:
            result.why = why or "its record is missing"
        results.append(result)
    return results


def boot(kind, kernel, jobs, programs, out, end, say, options):
    """One machine from start to end; what it wrote is below out then.  Returns its Watch."""
    with tempfile.TemporaryDirectory(prefix="bed-", dir=out) as tmp:
        work = pathlib.Path(tmp)
        machine = MACHINES[kind](work, options)
        make_initrd(work / "initrd", kernel, machine, programs, jobs)
        disk = work / "disk"
        with open(disk, "wb") as f:
            f.truncate(DISK_SIZE // machine.disk_unit * machine.disk_unit)
        try:
            machine.start(kernel, work / "initrd", disk)
            watch = Watch(machine, jobs, end, say)
        finally:
            machine.stop()
        if not image.unpack(disk, out) and watch.why is None:
            watch.why = "the results disk has no end mark"
        for log in ("console.log", "emulator.log"):
            if (work / log).exists():
                shutil.copy(work / log, out / log)
    return watch


def run(kind, jobs, programs, out, limit=600, say=lambda text: None, **options):
    """
    Run all jobs; returns their Results and (None or what went wrong with the machine).  One boot does it, but
    emulators hang now and then: not the job, whose limit the guest itself enforces, but the machine around it.
    Then what is left runs in another boot, the job that it hung in last; BOOTS at most.
    """
    check_jobs(jobs)
    out = pathlib.Path(out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    for job in jobs:
        shutil.rmtree(out / job.id, ignore_errors=True)
    kernel, end = Kernel(), time.monotonic() + limit
    left = list(jobs)
    for n in range(1, BOOTS + 1):
        watch = boot(kind, kernel, left, programs, out, end, say, options)
        left = [j for j in left if not (out / j.id / "exit").exists()]
        if not left or not watch.stalled or n == BOOTS:
            break
        left.sort(key=lambda j: j.id == watch.job)
        print(f"bed: {watch.why}; {len(left)} jobs in another", file=sys.stderr, flush=True)
    return collect(jobs, out, watch.why), watch.why


def parse_job(text):
    found = re.match(r"\s*([^,:\s]+)(?:,(\d+))?:\s*(.+)", text)
    if not found:
        raise BedError(f"job {text!r}: not 'ID[,SECONDS]: ARGV'")
    return Job(found.group(1), shlex.split(found.group(3)), int(found.group(2) or 30))


def main():
    ap = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1][7:])
    ap.add_argument("machine", choices=[*sorted(MACHINES), "fetch"])
    ap.add_argument("--carry", action="append", default=[])
    ap.add_argument("--job", action="append", default=[])
    ap.add_argument("--jobs", type=pathlib.Path)
    ap.add_argument("--out")
    ap.add_argument("--limit", type=int, default=600)
    ap.add_argument("--no-la57", action="store_true")
    ap.add_argument("--cpus", type=int, default=2)
    args = ap.parse_args()
    try:
        if args.machine == "fetch":
            Kernel()
            return 0
        if not args.out:
            raise BedError("--out is missing")
        texts = args.job + (args.jobs.read_text().splitlines() if args.jobs else [])
        jobs = [parse_job(t) for t in texts if t.strip() and not t.startswith("#")]
        results, why = run(args.machine, jobs, args.carry, args.out, args.limit,
                           say=lambda t: print(t, flush=True), la57=not args.no_la57, cpus=args.cpus)
    except (BedError, OSError) as e:
        print(f"bed: {e}", file=sys.stderr)
        return 2
    for r in results:
        print(f"{r.job.id}: " + (r.why or f"exit {r.code} after {r.seconds:.1f} s"))
    if why:
        print(f"bed: {why}", file=sys.stderr)
    return 0 if not why and all(r.code == 0 for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())

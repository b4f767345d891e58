"""What a dump of a Linux guest alone tells, and what that costs: beside crash's and drgn's time for the same on the same
dump, in turns in one run.

The guest is the 4 GiB one of tests/agreement (190 tasks), booted when the cache folder does not have its dump yet.
inquest gets the dump alone; crash and drgn, which run in the chroot of `./dev peers`, get the debug kernel, too.  All
files are in the page cache, each program runs as a whole, and of each the least time counts."""
import os, pathlib, re, subprocess, sys, time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests" / name) for name in ("agreement", "bed", "dumps", "peers")]
import bench_dumps, guests  # noqa: E402
from guest import kernel  # noqa: E402
from packages import cache_dir  # noqa: E402

GUEST = "61-4g"
NAMES_MS, TYPES_MS = 10, 5
STACKS_S, STACKS_MIB = 0.1, 64
INDEX_S, INDEX_MIB = 0.4, 150
PAGES_PER_CORE, ROWS = 150, 10  # millions a second
SYMBOL = "do_nanosleep"
DRGN = """
import sys, drgn
from drgn.helpers.linux.pid import for_each_task
prog = drgn.Program()
prog.set_core_dump(sys.argv[2])
prog.load_debug_info([sys.argv[1]])
"""
DRGN_SYMBOL = DRGN + f"""
print(hex(prog.symbol("{SYMBOL}").address))
"""
DRGN_STACKS = DRGN + """
for t in for_each_task(prog):
    try:
        print(t.pid.value_(), t.comm.string_(), prog.stack_trace(t))
    except (drgn.FaultError, ValueError) as e:
        print(e)
"""


def peak_anon(argv):
    """Highest RssAnon in MiB that was seen of the process, in a run that is not timed."""
    child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    with open(f"/proc/{child.pid}/status", "rb", buffering=0) as status:
        while child.poll() is None:
            status.seek(0)
            try:
                found = re.search(rb"RssAnon:\s+(\d+) kB", status.read())
            except ProcessLookupError:
                break
            peak = max(peak, int(found.group(1)) if found else 0)
    child.wait()
    if not peak:
        raise OSError(f"{argv[0]}: ended before its memory could be seen")
    return peak / 1024


def figures(tool, path):
    done = subprocess.run([tool, path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise OSError(f"{tool.name}: {done.stderr.strip()}")
    return {name: float(value) for name, value in re.findall(r"^(\w+)=([\d.]+)$", done.stdout, re.M)}


class Peers:
    """crash and drgn on that dump; what is not there takes no time: None."""

    def __init__(self, path, vmlinux):
        self.path, self.vmlinux, self.cache = path, vmlinux, cache_dir()

    def drgn(self, script, wanted):
        argv = ["python3", "-c", script, f"/mnt/b/{self.vmlinux.name}", f"/mnt/a/{self.path.name}"]
        return bench_dumps.took(bench_dumps.chroot_argv(self.cache, self.path, self.vmlinux, argv), 1, wanted)

    def crash(self, text, wanted):
        argv = ["crash", "-s", f"/mnt/b/{self.vmlinux.name}", f"/mnt/a/{self.path.name}"]
        return bench_dumps.took(bench_dumps.chroot_argv(self.cache, self.path, self.vmlinux, argv), 1, wanted, f"{text}\nquit\n")


def least(times):
    return None if not times or None in times else min(times)


def in_turns(rounds, *steps):
    """The least of each, None when one could not."""
    times = [[step() for step in steps] for _ in range(rounds)]
    return [least(column) for column in zip(*times)]


def compare(row, args, what, limit, steps):
    """steps: inquest, crash, drgn."""
    ours, crash, drgn = in_turns(args.rounds, *steps)
    if ours is None:
        raise OSError(f"{what}: inquest could not do it")
    row(what, ours, "s", limit)
    bench_dumps.beside(row, "crash", ours, crash, "s")
    bench_dumps.beside(row, "drgn", ours, drgn, "s")


def parts_rows(row, args, path):
    best = [figures(args.build / "tests/bench/kernel_parts", path) for _ in range(args.rounds)]
    row(f"{best[0]['names']:.0f} names of kallsyms decoded, CPU time", min(b["names_ms"] for b in best), "ms", NAMES_MS)
    row(f"{best[0]['types']:.0f} types of BTF understood, CPU time", min(b["types_ms"] for b in best), "ms", TYPES_MS)


def stack_rows(row, args, path, peers):
    bt = [args.build / "inquest", "bt", "-a", path]
    compare(row, args, "4 GiB ELF: backtraces of all tasks", STACKS_S,
            (lambda: bench_dumps.took(bt, 1, r"kthreadd"), lambda: peers.crash("foreach bt", r"kthreadd"),
             lambda: peers.drgn(DRGN_STACKS, r"kthreadd")))
    row("  peak of RssAnon", max(peak_anon(bt) for _ in range(args.rounds)), "MiB", STACKS_MIB)


def symbol_rows(row, args, path, peers):
    compare(row, args, "4 GiB ELF: opened, and one symbol found", None,
            (lambda: bench_dumps.took([args.build / "inquest", "sym", path, SYMBOL], 1, SYMBOL),
             lambda: peers.crash(f"sym {SYMBOL}", SYMBOL), lambda: peers.drgn(DRGN_SYMBOL, r"0xffffffff")))


def index_rows(row, args, path, folder):
    argv = [args.build / "inquest", "index", "-o", folder / "index.inq", path]

    def once():
        (folder / "index.inq").unlink(missing_ok=True)
        return bench_dumps.took(argv, 1, "")
    row("4 GiB ELF: index", least([once() for _ in range(args.rounds)]), "s", INDEX_S)
    (folder / "index.inq").unlink(missing_ok=True)
    row("  peak of RssAnon", peak_anon(argv), "MiB", INDEX_MIB)


def page_rows(row, args, path):
    """Rows through SQL: what a scan takes beyond a question that needs its first row alone."""
    tool, sql = args.build / "tests/bench/page_scan", [args.build / "inquest", "sql", path]
    for cores in sorted({1, len(os.sched_getaffinity(0))}):
        done = [subprocess.run(["taskset", "-c", f"0-{cores - 1}", tool, path], stdout=subprocess.PIPE, text=True, check=True).stdout
                for _ in range(args.rounds)]
        best = max(float(re.search(r": (\d+) million", d).group(1)) for d in done)
        row(f"struct pages scanned in C, {cores} cores", best, "M/s", PAGES_PER_CORE * cores)
    nr = int(re.match(r"\d+", done[0]).group())
    first, every = in_turns(args.rounds, lambda: bench_dumps.took([*sql, "SELECT pfn FROM page LIMIT 1"], 1, r"\d"),
                            lambda: bench_dumps.took([*sql, "SELECT count(*), sum(pfn) FROM page"], 1, r"\d"))
    row("struct pages, rows through SQL", nr / (every - first) / 1e6, "M/s", ROWS)


def bench(args, folder, row):
    one = guests.named([GUEST])[0]
    cache = cache_dir() / "agreement"
    cache.mkdir(parents=True, exist_ok=True)
    path, _ = guests.keep(one, cache, [args.build / "tests/agreement" / name for name in ("people", "witness")])
    k = kernel.Kernel(one.package, one.suite)
    peers = Peers(path, k.debug() if (cache_dir() / bench_dumps.TRIXIE).is_dir() else k.dir / "vmlinux.debug")
    for file in (path, peers.vmlinux):
        subprocess.run(["cat", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    began = time.monotonic()
    parts_rows(row, args, path)
    symbol_rows(row, args, path, peers)
    stack_rows(row, args, path, peers)
    index_rows(row, args, path, folder)
    page_rows(row, args, path)
    print(f"crash and drgn of Debian {bench_dumps.TRIXIE}, with the debug kernel; {time.monotonic() - began:.0f} s")

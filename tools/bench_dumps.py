"""What opening dumps of other people's writers costs, beside crash, drgn and libkdumpfile on the very same file.

A Debian guest of 4 GiB with two thirds of it in use is booted, dumped as ELF and compressed; with disk to spare
another of 16 GiB.  The kernel is found without VMCOREINFO: the note is renamed in the file, so that nobody knows
it, while the others get it (drgn opens nothing without).  Each program runs as a whole, the file in the page cache
but where it says cold."""
import os, pathlib, re, shutil, subprocess, sys, time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests" / name) for name in ("bed", "dumps")]
import forms, guest  # noqa: E402

GIB = 1 << 30
PACKAGE = "linux-image-amd64"  # crash 8.0 makes nothing of the cloud flavour's exception stacks
PART = "40000000-5fffffff"      # full of what the guest filled its memory with
BIG_SPARE = 24 * GIB           # disk that a guest of 16 GiB is worth
WORD = "hex:0123456789abcdef1032547698badcfe"  # in no guest
SCAN_LIMIT = 0.5               # of the rate at which memory can be read
OPEN_LIMIT_S, COLD_LIMIT_S = 0.03, 0.5
RANDOM_LIMIT, ZLIB_LIMIT, ZLIB_LIMIT_2 = 2e6, 200e3, 320e3
KERNEL_SQL = "SELECT release, text, phys_base FROM kernel WHERE os IS NOT NULL"
TRIXIE = "trixie"  # of tests/peers: a chroot in the cache folder
DRGN = """
import sys, drgn
prog = drgn.Program()
prog.set_core_dump(sys.argv[2])
prog.load_debug_info([sys.argv[1]])
print(prog["init_uts_ns"].name.release.string_().decode())
"""


def took(argv, rounds, wanted, text=None):
    """Its least wall time: others only add to it.  None when it is not there or does not say what is wanted."""
    times = []
    for _ in range(rounds):
        began = time.monotonic()
        try:
            done = subprocess.run([str(a) for a in argv], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors="replace", timeout=300)
        except (OSError, subprocess.TimeoutExpired):
            return None
        times.append(time.monotonic() - began)
        if not re.search(wanted, done.stdout):
            return None
    return min(times)


def rename_note(path):
    """VMCOREINFO's note gets a name that nobody knows; back again with the next call."""
    with open(path, "r+b") as f:
        head = f.read(1 << 20)
        for name, other in ((b"VMCOREINFO\0", b"SOMETHING!\0"), (b"SOMETHING!\0", b"VMCOREINFO\0")):
            if name in head:
                f.seek(head.index(name))
                f.write(other)
                return


def pages_per_s(tool, path, how, threads, ranges):
    """By wall and by CPU time; None: it cannot."""
    try:
        done = subprocess.run([tool, path, how, str(threads), *ranges], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return None
    found = re.search(r"pages_per_s=(\d+)\npages_per_cpu_s=(\d+)", done.stdout)
    return tuple(int(n) for n in found.groups()) if found and not done.returncode else None


def beside(row, what, ours, theirs, unit):
    """The same of another program, and how many times ours that is."""
    if theirs is None:
        print(f"{'  ' + what:<50}{'-':>10}        not installed, or it cannot")
        return
    row("  " + what, theirs, unit)
    row("  that of inquest's", theirs / ours, "x")


def page_rows(row, args, path, name, how, threads, ranges, limit):
    """The best of all rounds: what disturbs only makes it less."""
    ours, theirs, bare = ([pages_per_s(args.build / "tests/bench" / tool, path, how, threads, ranges) for _ in range(args.rounds)]
                    for tool in ("page_cost", "page_cost_kdumpfile", "page_cost_limit"))
    if None in ours:
        raise OSError(f"{path.name}: page_cost could not read it")
    wall, cpu = (max(rates) / 1e3 for rates in zip(*ours))
    row(name, wall, "k/s", limit / 1e3)
    row("  per second of CPU", cpu, "k/s")
    beside(row, "libkdumpfile", wall, None if None in theirs else max(theirs)[0] / 1e3, "k/s")
    beside(row, "a bare loop, threads and all", wall, None if None in bare else max(bare)[0] / 1e3, "k/s")


def chroot_argv(cache, path, vmlinux, argv):
    """In the chroot: the folders of the dump and of vmlinux are /mnt/a and /mnt/b there."""
    root = cache / TRIXIE
    line = (f"mount -t proc proc '{root}/proc' 2>/dev/null; mkdir -p '{root}/mnt/a' '{root}/mnt/b' &&"
            f" mount --bind '{path.parent}' '{root}/mnt/a' && mount --bind '{vmlinux.parent}' '{root}/mnt/b' &&"
            f" exec chroot '{root}' \"$@\"")
    return ["unshare", "-m", "sh", "-c", line, "x", *argv]


def drgn_argv(cache, path, vmlinux):
    return chroot_argv(cache, path, vmlinux, ["python3", "-c", DRGN, f"/mnt/b/{vmlinux.name}", f"/mnt/a/{path.name}"])


def open_rows(row, args, path, release, k):
    sql = [args.build / "inquest", "sql", path, KERNEL_SQL]
    rename_note(path)
    ours = took(sql, args.rounds, re.escape(release))
    rename_note(path)
    if ours is None:
        raise OSError(f"{path.name}: inquest finds no kernel {release} in it")
    row("4 GiB ELF, warm: opened, and its kernel found", ours, "s", OPEN_LIMIT_S)
    debug = k.dir / "vmlinux.debug"
    vmlinux = k.debug() if shutil.which("crash") or debug.exists() else debug
    beside(row, "crash, to its prompt", ours, took(["crash", "-s", vmlinux, path], 1, re.escape(release), "sys\nquit\n"), "s")
    beside(row, "drgn, to a release", ours, took(drgn_argv(k.dir.parent, path, vmlinux), 1, re.escape(release)), "s")


def scan_row(row, args, path):
    """All cores search; the same cores that only read memory are the limit."""
    size, rates, times = path.stat().st_size, [], []
    for _ in range(args.rounds):
        times.append(took([args.build / "inquest", "search", path, WORD], 1, ""))
        done = subprocess.run([args.build / "tests/bench/memory_rate"], stdout=subprocess.PIPE, text=True, check=True)
        rates.append(int(done.stdout.strip().partition("=")[2]) / GIB)
    ours = size / GIB / min(times)
    row("4 GiB ELF, warm: searched for 16 bytes", ours, "GiB/s", SCAN_LIMIT * max(rates))
    beside(row, "memory, read by all cores", ours, max(rates), "GiB/s")


def cold_row(row, args, folder):
    if shutil.disk_usage(folder).free < BIG_SPARE or os.geteuid():
        print("a cold dump of 16 GiB: not timed; it takes 24 GiB of disk, and root to drop caches")
        return
    path = folder / "big.elf"
    release = dump(guest.Guest("cold", mib=16384, vmcoreinfo=False, package=PACKAGE), folder, args.build, {"elf": path})
    times = []
    for _ in range(3):
        os.sync()
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n")
        times.append(took([args.build / "inquest", "sql", path, KERNEL_SQL], 1, re.escape(release)))
    path.unlink()
    if None in times:
        raise OSError(f"{path.name}: inquest finds no kernel {release} in it")
    row("16 GiB ELF, cold: opened, and its kernel found", min(times), "s", COLD_LIMIT_S)


def dump(one, folder, build, paths):
    """Boot it and write it in the given forms; returns its release."""
    with guest.Running(one, folder, [build / "tests/dumps/scatter"]) as running:
        for form, path in paths.items():
            forms.qemu_dump(form=None if form == "elf" else form)(running, None, path)
            path.chmod(0o600)
        return running.facts("release")[0]


def bench(args, folder, row):
    folder = folder.resolve()  # a chroot sees it, too
    elf, flat, zlib = (folder / name for name in ("bench.elf", "bench.flat", "bench.zlib"))
    one = guest.Guest("bench", mib=4096, package=PACKAGE, work="fill spin")
    release = dump(one, folder, args.build, {"elf": elf, "kdump-zlib": flat})
    with open(flat, "rb") as f:  # libkdumpfile 0.5.1 wants it unflattened
        subprocess.run(["makedumpfile", "-R", zlib], stdin=f, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    flat.unlink()
    open_rows(row, args, elf, release, guest.kernel.Kernel(PACKAGE))
    scan_row(row, args, elf)
    ranges = [f"{first:x}-{last:x}" for first, last in one.ram]
    for threads in (1, 2):
        page_rows(row, args, elf, f"4 GiB ELF, random pages, {threads} threads", "random", threads, ranges, RANDOM_LIMIT * threads)
    for threads, limit in ((1, ZLIB_LIMIT), (2, ZLIB_LIMIT_2)):
        page_rows(row, args, zlib, f"4 GiB kdump-zlib, 512 MiB of it, {threads} threads", "all", threads, [PART], limit)
    elf.unlink()
    zlib.unlink()
    cold_row(row, args, folder)

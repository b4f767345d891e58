"""A chroot of another Debian in the cache folder: its crash, drgn, gdb and makedumpfile."""
import os, pathlib, shutil, subprocess, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bed"))
import packages  # noqa: E402
from packages import BedError  # noqa: E402

SUITE, PACKAGES = "trixie", "crash,python3-drgn,gdb,makedumpfile"


def must(argv, what, **kw):
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", **kw)
    if done.returncode:
        raise BedError(f"{what}: {(done.stdout.strip().splitlines() or ['no reason'])[-1]}")
    return done.stdout


class Chroot:
    def __init__(self, mirror):
        if os.geteuid():
            raise BedError("not root: a chroot cannot be made")
        self.root = packages.cache_dir() / SUITE
        if not self.root.is_dir():
            part = self.root.with_name(SUITE + ".part")
            shutil.rmtree(part, ignore_errors=True)
            print(f"making a chroot of Debian {SUITE} in {self.root}", flush=True)
            must(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, part, mirror or packages.mirror()], "debootstrap")
            part.rename(self.root)
        self.work = self.root / "work"
        self.work.mkdir(exist_ok=True)

    def put(self, path, name=None):
        to = self.work / (name or path.name)
        to.unlink(missing_ok=True)
        try:
            os.link(path, to)
        except OSError:
            must(["cp", "--sparse=always", path, to], str(path))

    def run(self, argv, text=None, seconds=300):
        """stdout; what went wrong is for the comparison to find."""
        line = f"mount -t proc proc '{self.root}/proc' 2>/dev/null; exec chroot '{self.root}' sh -c 'cd /work && exec \"$@\"' x \"$@\""
        return subprocess.run(["unshare", "-m", "sh", "-c", line, "x", *argv], input=text, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace", timeout=seconds, env={**os.environ, "TERM": "dumb"})

    def version(self, package):
        return self.run(["dpkg-query", "-W", "-f", "${Version}", package]).stdout

"""The testbeds' Linux kernel: Debian's cloud flavour, unpacked into the cache folder and never installed."""
import fcntl, os, pathlib, re, shutil, subprocess

PACKAGE = "linux-image-cloud-amd64"


class BedError(Exception):
    """One line for the person who started the run."""


def cache_dir():
    given = os.environ.get("INQ_CACHE")
    if given:
        return pathlib.Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "inquest"


def run_quiet(argv, cwd=None):
    try:
        done = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    except OSError as e:
        raise BedError(f"{argv[0]}: {e.strerror}") from e
    return done.returncode, done.stdout, done.stderr


def fetch_package(folder):
    """apt-get download of the package that the metapackage depends on; returns the .deb."""
    _, text, _ = run_quiet(["apt-cache", "depends", PACKAGE])
    names = re.findall(r"Depends: (linux-image-\S+)", text)
    if not names:
        raise BedError(f"{PACKAGE}: no such package in the package lists")
    code, _, err = run_quiet(["apt-get", "download", "-q", names[0]], cwd=folder)
    debs = list(folder.glob("*.deb"))
    if code or not debs:
        raise BedError(f"{names[0]}: download failed: {(err.strip().splitlines() or ['no reason'])[-1]}")
    return debs[0]


def fetch(folder):
    """Make folder: vmlinuz and modules/.  Written beside it and renamed, so never half."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    (part / "x").mkdir(parents=True)
    try:
        deb = fetch_package(part)
    except BedError:  # lists that are missing or too old
        run_quiet(["apt-get", "update", "-q"])
        deb = fetch_package(part)
    code, _, err = run_quiet(["dpkg", "-x", str(deb), str(part / "x")])
    if code:
        raise BedError(f"{deb.name}: cannot unpack: {err.strip()}")
    next((part / "x/boot").glob("vmlinuz-*")).rename(part / "vmlinuz")
    next((part / "x/lib/modules").iterdir()).rename(part / "modules")
    shutil.rmtree(part / "x")
    deb.unlink()
    part.rename(folder)


class Kernel:
    def __init__(self):
        base = cache_dir()
        base.mkdir(parents=True, exist_ok=True)
        self.dir = base / "kernel"
        with open(base / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.dir.is_dir():
                fetch(self.dir)
        self.vmlinuz = self.dir / "vmlinuz"
        self.paths = {p.stem.replace("-", "_"): p for p in (self.dir / "modules").rglob("*.ko")}

    def modules(self, names):
        """Paths of the named modules and all that they need, in the order to load them."""
        order = []

        def add(name):
            path = self.paths.get(name.replace("-", "_"))
            if path is None:
                raise BedError(f"{name}: no such module in the kernel package")
            needs = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
            for need in filter(None, (needs.group(1).decode() if needs else "").split(",")):
                add(need)
            if path not in order:
                order.append(path)

        for name in names:
            add(name)
        return order

"""Debian's packages by apt: of the system's own suite, or of another one whose lists lie in the cache folder, never in /etc."""
import os, pathlib, re, subprocess

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


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


def mirror():
    """Where apt itself gets Debian's packages from."""
    _, text, _ = run_quiet(["apt-get", "indextargets", "--format", "$(ORIGIN) $(SITE)", "Created-By: Packages"])
    for line in text.splitlines():
        origin, _, site = line.partition(" ")
        if origin == "Debian" and "security" not in site:
            return site
    raise BedError("apt has no mirror of Debian")


class Apt:
    """One suite.  The name "" is the system's own, with what it is configured to have."""

    def __init__(self, suite=""):
        self.suite, self.options = suite, []
        if suite:
            self.options = self.apart(cache_dir() / f"apt-{suite}")

    def apart(self, folder):
        (folder / "lists/partial").mkdir(parents=True, exist_ok=True)
        (folder / "cache/archives/partial").mkdir(parents=True, exist_ok=True)
        sources = folder / "sources.list"
        if not sources.exists():
            sources.write_text(f"deb [signed-by={KEYRING}] {mirror()} {self.suite} main\n")
        return ["-o", f"Dir::Etc::sourcelist={sources}", "-o", "Dir::Etc::sourceparts=-", "-o", "Dir::Etc::preferencesparts=-",
                "-o", f"Dir::State::lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}",
                "-o", "APT::Sandbox::User=root"]  # the folder is nobody else's to read

    def download(self, folder, name):
        """The .deb of a package, checked by apt; lists that are missing or too old are fetched first."""
        for update in (False, True):
            if update:
                run_quiet(["apt-get", *self.options, "update", "-q"])
            code, _, err = run_quiet(["apt-get", *self.options, "download", "-q", name], cwd=folder)
            debs = list(folder.glob(f"{name}_*.deb"))
            if not code and debs:
                return debs[0]
        raise BedError(f"{name}: download failed: {(err.strip().splitlines() or ['no reason'])[-1]}")

    def kernel_of(self, package):
        """Name of the package that a kernel's metapackage depends on."""
        for update in (False, True):
            if update:
                run_quiet(["apt-get", *self.options, "update", "-q"])
            _, text, _ = run_quiet(["apt-cache", *self.options, "depends", package])
            names = re.findall(r"Depends: (linux-image-\S+)", text)
            if names:
                return names[0]
        raise BedError(f"{package}: no such package in the package lists" + (f" of {self.suite}" if self.suite else ""))

"""Debian's Linux kernels, unpacked into the cache folder and never installed; the testbeds' own is the cloud flavour."""
import fcntl, lzma, os, re, shlex, shutil, struct

from packages import Apt, BedError, cache_dir, run_quiet

PACKAGE = "linux-image-cloud-amd64"


def fetch(folder, package, apt):
    """Make folder: vmlinuz and modules/.  Written beside it and renamed, so never half."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    (part / "x").mkdir(parents=True)
    deb = apt.download(part, apt.kernel_of(package))
    code, _, err = run_quiet(["dpkg", "-x", str(deb), str(part / "x")])
    if code:
        raise BedError(f"{deb.name}: cannot unpack: {err.strip()}")
    next((part / "x/boot").glob("vmlinuz-*")).rename(part / "vmlinuz")
    next((part / "x").glob("**/lib/modules/*")).rename(part / "modules")
    shutil.rmtree(part / "x")
    deb.unlink()
    part.rename(folder)


def more(block, at, n):
    """The rest of a length of LZ4: each byte is added, 255 says that another follows."""
    while True:
        byte, at = block[at], at + 1
        n += byte
        if byte != 255:
            return n, at


def unlz4_block(block, out):
    """Literals, then a copy of what is already out, again and again (lz4_Block_format.md)."""
    at = 0
    while True:
        token = block[at]
        at += 1
        n, m = token >> 4, token & 15
        if n == 15:
            n, at = more(block, at, n)
        out += block[at:at + n]
        at += n
        if at >= len(block):
            return
        back = block[at] | block[at + 1] << 8
        at += 2
        if m == 15:
            m, at = more(block, at, m)
        m += 4
        copy = out[-back:] if m > back else out[len(out) - back:len(out) - back + m]
        out += copy if m <= back else (copy * (m // back + 1))[:m]


def vmlinux_of(bzimage):
    """The ELF in a bzImage: Linux's boot protocol says where the payload lies, its magic how it is packed."""
    setup, (offset, length) = bzimage[0x1F1] or 4, struct.unpack_from("<II", bzimage, 0x248)
    at = (setup + 1) * 512 + offset
    payload, size = bzimage[at:at + length - 4], struct.unpack_from("<I", bzimage, at + length - 4)[0]
    if payload[:6] == b"\xfd7zXZ\0":
        out = lzma.LZMADecompressor().decompress(payload)
    elif payload[:4] == b"\x02\x21\x4c\x18":  # LZ4's old frame: blocks, each with its length
        out, at = bytearray(), 4
        while at < len(payload):
            n = struct.unpack_from("<I", payload, at)[0]
            unlz4_block(payload[at + 4:at + 4 + n], out)
            at += 4 + n
    else:
        raise BedError(f"vmlinuz: packed in an unknown way: {payload[:6].hex()}")
    if len(out) != size or out[:4] != b"\x7fELF":
        raise BedError("vmlinuz: unpacked, it is no ELF of the size that it says")
    return bytes(out)


class Kernel:
    """Of a metapackage, as a suite has it; the suite "" is the one that apt itself uses."""

    def __init__(self, package=PACKAGE, suite=""):
        base = cache_dir()
        base.mkdir(parents=True, exist_ok=True)
        self.apt = Apt(suite)
        self.dir = base / (f"{package}-{suite}" if suite else "kernel" if package == PACKAGE else package)
        with open(base / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.dir.is_dir():
                fetch(self.dir, package, self.apt)
        self.vmlinuz = self.dir / "vmlinuz"
        found = [p for end in (".ko.xz", ".ko") for p in (self.dir / "modules").rglob("*" + end)]
        self.builtin = {line.split("/")[-1][:-3] for line in (self.dir / "modules/modules.builtin").read_text().splitlines()}
        self.paths = {p.name.split(".")[0].replace("-", "_"): p for p in found}

    def vmlinux(self):
        """Path of the same kernel, uncompressed; made once."""
        path = self.dir / "vmlinux"
        with open(self.dir.parent / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                part = path.with_suffix(".part")
                part.write_bytes(vmlinux_of(self.vmlinuz.read_bytes()))
                part.rename(path)
        return path

    def debug(self):
        """Path of the ELF with DWARF of this very kernel; made once."""
        path = self.dir / "vmlinux.debug"
        release = re.search(rb"(\d[\w.+~-]+) \(debian-kernel@", self.vmlinuz.read_bytes()).group(1).decode()
        with open(self.dir.parent / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                deb = self.apt.download(self.dir, f"linux-image-{release}-dbg")
                name = f"./usr/lib/debug/boot/vmlinux-{release}"
                part = path.with_suffix(".part")
                take = f"dpkg-deb --fsys-tarfile {shlex.quote(str(deb))} | tar xO --occurrence=1 {name} >{shlex.quote(str(part))}"
                code, _, err = run_quiet(["sh", "-c", take])
                deb.unlink()
                if code:
                    raise BedError(f"{deb.name}: no {name} in it: {err.strip()}")
                part.rename(path)
        return path

    def module(self, name):
        """Path of a module, unpacked once where the package has it packed: no kernel has to unpack one itself."""
        path = self.paths.get(name.replace("-", "_"))
        if path is None:
            raise BedError(f"{name}: no such module in the kernel package")
        if path.suffix == ".xz":
            plain, part = path.with_suffix(""), path.with_suffix(f".{os.getpid()}")
            if not plain.exists():
                part.write_bytes(lzma.decompress(path.read_bytes()))
                part.rename(plain)
            path = plain
        return path

    def modules(self, names):
        """Paths of the named modules and all that they need, in the order to load them; none of those that are built in."""
        order = []

        def add(name):
            if name in self.builtin:
                return
            path = self.module(name)
            needs = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
            for need in filter(None, (needs.group(1).decode() if needs else "").split(",")):
                add(need)
            if path not in order:
                order.append(path)

        for name in names:
            add(name)
        return order

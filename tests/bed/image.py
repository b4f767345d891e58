"""Files into the machine (a newc cpio for the initramfs) and out of it (tars, one after another, on a raw disk)."""
import os, pathlib, re, stat, tarfile


class Cpio:
    """Writes the format that the kernel's init/initramfs.c unpacks; archives may simply follow each other."""

    def __init__(self, path):
        self.out = open(path, "wb")
        self.ino = 0
        self.dirs = set()

    def entry(self, name, mode, data=b""):
        self.ino += 1
        raw = name.encode() + b"\0"
        fields = [self.ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0]
        head = b"070701" + b"".join(b"%08x" % f for f in fields) + raw
        self.out.write(head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4))

    def folder(self, name):
        parts = name.strip("/").split("/")
        for n in range(1, len(parts) + 1):
            path = "/".join(parts[:n])
            if path and path not in self.dirs:
                self.dirs.add(path)
                self.entry(path, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o755):
        self.folder(os.path.dirname(name))
        self.entry(name.strip("/"), stat.S_IFREG | mode, data)

    def close(self):
        self.entry("TRAILER!!!", 0)
        self.out.close()


def cut_hole(path):
    """Cut off the hole behind the last data, so that nobody has to read through it."""
    with open(path, "rb+", buffering=0) as disk:
        end = at = 0
        try:
            while True:
                at = os.lseek(disk.fileno(), end, os.SEEK_DATA)
                end = os.lseek(disk.fileno(), at, os.SEEK_HOLE)
        except OSError:  # no data behind end
            disk.truncate(end)


def inside(name):
    parts = name.split("/")
    return not name.startswith("/") and ".." not in parts


def unpack(image, out):
    """Unpack what the guest wrote.  Only plain files and folders below out; returns whether the end mark was there."""
    cut_hole(image)
    try:
        with tarfile.open(image, "r:", ignore_zeros=True) as tar:
            for member in tar:
                if member.name == "bed-end":
                    return True
                if (member.isreg() or member.isdir()) and inside(member.name):
                    tar.extract(member, out, set_attrs=False)
    except (tarfile.TarError, EOFError):  # cut off in the middle: what came before is kept
        pass
    return False


def libraries(program, run):
    """The shared libraries and the loader of a program, as ldd names them; none when it is static."""
    code, text, _ = run(["ldd", str(program)])
    return [] if code else sorted({p for p in re.findall(r"(/\S+) \(0x", text)})


def carry(cpio, programs, run):
    for program in programs:
        path = pathlib.Path(program)
        cpio.file("bin/" + path.name, path.read_bytes())
        for lib in libraries(path, run):
            if lib.strip("/") not in cpio.dirs:
                cpio.dirs.add(lib.strip("/"))  # once, though programs share them
                cpio.file(lib, pathlib.Path(lib).read_bytes())

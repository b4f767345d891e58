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


def copy_sparse(src, length, path):
    """Copy length bytes from src's position to path; pages of zeros become holes."""
    with open(path, "wb") as dst:
        left = length
        while left:
            chunk = src.read(min(left, 1 << 16))
            if not chunk:
                break
            left -= len(chunk)
            if chunk.count(0) == len(chunk):
                dst.seek(len(chunk), os.SEEK_CUR)
            else:
                dst.write(chunk)
        dst.truncate(length - left)
    return left == 0


def next_header(disk, pos):
    """The next tar header at or behind pos, skipping the zeros between archives; None at the end."""
    end = os.fstat(disk.fileno()).st_size
    while pos < end:
        disk.seek(pos)
        block = disk.read(512)
        if block.strip(b"\0"):
            try:
                return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape"), pos + 512
            except tarfile.HeaderError:
                return None
        try:
            data = os.lseek(disk.fileno(), pos + 512, os.SEEK_DATA)
        except OSError:  # a hole to the end
            return None
        pos = max(pos + 512, data & ~511)
    return None


def unpack(image, out):
    """Unpack what the guest wrote.  Only plain files and folders below out; returns whether the end mark was there."""
    out = pathlib.Path(out)
    pos = 0
    with open(image, "rb", buffering=0) as disk:  # lseek behind a buffer would confuse it
        while (found := next_header(disk, pos)) is not None:
            info, data = found
            if info.name == "bed-end":
                return True
            size = info.size if info.isreg() else 0
            pos = data + (size + 511 & ~511)
            parts = [p for p in info.name.split("/") if p not in ("", ".")]
            if ".." in parts or not parts:
                continue
            path = out.joinpath(*parts)
            if info.isdir():
                path.mkdir(parents=True, exist_ok=True)
            elif info.isreg():
                path.parent.mkdir(parents=True, exist_ok=True)
                disk.seek(data)
                if not copy_sparse(disk, size, path):
                    path.unlink()
                    return False
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

"""Each way in which a guest becomes a file: one line a form in FORMS, with what the file then tells."""
import dataclasses, shlex, struct, subprocess, time

from kernel import BedError

GENERAL = {f"r{n}" for n in "ax bx cx dx si di bp sp ip flags 8 9 10 11 12 13 14 15".split()}
PRSTATUS = GENERAL | {"cs.sel", "ss.sel", "fs.base", "gs.base"}
SEGMENTS = {f"{s}.{part}" for s in "cs ds es fs gs ss tr ldtr".split() for part in ("sel", "base", "limit")}
TABLES = {f"{t}.{part}" for t in ("gdtr", "idtr") for part in ("base", "limit")}
NOTES = PRSTATUS | SEGMENTS | TABLES | {"cr0", "cr2", "cr3", "cr4"}  # with QEMU's of the CPU state
WHOLE = GENERAL | SEGMENTS | TABLES | {"cr0", "cr2", "cr3", "cr4", "efer", "dr0", "dr1", "dr2", "dr3", "dr6", "dr7"}
ALL, MAPPED, FILTERED = "all", "mapped", "filtered"  # memory: that of the guest; what page tables show; what kernels use


@dataclasses.dataclass(frozen=True)
class Form:
    name: str
    format: str        # as inquest lists it
    make: object       # (running guest, path of its ELF dump, path to make)
    regs: set          # known of each CPU, at least
    memory: str = ALL
    only: object = lambda guest: True
    again: bool = False  # of the guest a bit later
    damage: int = 0    # also tried damaged: bytes that it takes to be read at all; 0: not tried


def qemu_dump(paging=False, form=None):
    def make(running, _, path):
        running.qmp.ask("dump-guest-memory", paging=paging, protocol=f"file:{path}", **({"format": form} if form else {}))
    return make


def migrate(running, _, path):
    """The whole state, as another QEMU would take it over."""
    running.qmp.ask("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
    running.qmp.ask("migrate", uri=f"exec:cat >{shlex.quote(str(path))}")
    while (status := running.qmp.ask("query-migrate").get("status")) not in ("completed", "failed"):
        time.sleep(0.05)
    if status == "failed":
        raise BedError("QEMU: migrate failed")


def quiet(argv, out=subprocess.DEVNULL):
    """A program whose progress nobody wants to see."""
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").replace("\r", "\n").strip().splitlines()
        raise BedError(f"{argv[0]}: {(words or ['no reason'])[-1]}")


def capture(running, _, path):
    """A snapshot of our own format, of a guest of QEMU's."""
    quiet([running.inquest, "capture", "--qmp", running.work / "qmp-capture", "-o", path])


def makedumpfile(*options):
    def make(_, elf, path):
        if "-F" in options:
            with open(path, "wb") as out:
                quiet(["makedumpfile", *options, elf], out)
        else:
            quiet(["makedumpfile", *options, elf, path])
    return make


def headers_first(path):
    """
    Put the program headers of QEMU's ELF file behind its ELF header, where makedumpfile looks for them
    (elf_info.c:get_pt_note_info): QEMU 7.2 puts a section header there, which goes.
    """
    with open(path, "r+b") as f:
        head = bytearray(f.read(64))
        at, = struct.unpack_from("<Q", head, 32)
        count, = struct.unpack_from("<H", head, 56)
        f.seek(at)
        headers = f.read(56 * count)
        struct.pack_into("<QQ", head, 32, 64, 0)
        struct.pack_into("<HHHHHH", head, 52, 64, 56, count, 0, 0, 0)
        f.seek(0)
        f.write(head + headers)


def told(guest):
    """makedumpfile wants to be told of the kernel."""
    return guest.vmcoreinfo or guest.saved


def stopped(guest):
    """QEMU's dump of a guest that saved itself is one of another kernel."""
    return not guest.saved


def scattered(guest):
    return guest.work == "scatter"


def small(guest):
    return stopped(guest) and guest.mib < 4096


def many_segments(running, elf, path):
    qemu_dump(paging=True)(running, elf, path)
    with open(path, "rb") as f:
        count, = struct.unpack_from("<H", f.read(64), 56)
    if count != 0xFFFF:  # PN_XNUM: too many for the field
        raise BedError(f"QEMU wrote {count} program headers, not over 65534")


BASE = Form("elf", "elfcore", qemu_dump(), NOTES, damage=0x1600)
SAVED = Form("elf by a kdump kernel", "elfcore", None, PRSTATUS)
FORMS = (
    Form("elf-paging", "elfcore", qemu_dump(paging=True), NOTES, MAPPED, lambda g: small(g) and not scattered(g)),
    Form("elf-65535", "elfcore", many_segments, NOTES, MAPPED, scattered),
    Form("qemu-kdump-zlib", "kdump", qemu_dump(form="kdump-zlib"), NOTES, only=stopped, damage=0x20000),
    Form("migration", "qemu", migrate, WHOLE, only=stopped, damage=0x1000),
    Form("makedumpfile-elf", "elfcore", makedumpfile("-E", "-d", "31"), NOTES, FILTERED, told),
    Form("makedumpfile-zlib", "kdump", makedumpfile("-c", "-d", "0"), NOTES, only=told, damage=0x20000),
    Form("makedumpfile-lzo", "kdump", makedumpfile("-l", "-d", "1"), NOTES, only=told),
    Form("makedumpfile-plain", "kdump", makedumpfile("-d", "17"), NOTES, FILTERED, told),
    Form("makedumpfile-31", "kdump", makedumpfile("-c", "-d", "31"), NOTES, FILTERED, told),
    Form("makedumpfile-flat", "kdump", makedumpfile("-F", "-c", "-d", "31"), NOTES, FILTERED, told, damage=0x20000),
    Form("capture", "elfcore", capture, WHOLE | {"smbase", "smm"}, only=stopped, again=True),
)

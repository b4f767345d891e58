"""Debian guests to dump, each booted once, and what is true of them: their own words, and QEMU's of their CPUs."""
import dataclasses, os, pathlib, re, subprocess, time

import image, kernel, machines
from kernel import BedError
from qmp import Qmp

HERE = pathlib.Path(__file__).resolve().parent

PAGE, MIB, GIB = 1 << 12, 1 << 20, 1 << 30
VGA, VGA_END = 0xA0000, 0xC0000
LOW_END = 3 * GIB  # of a pc with more: the rest lies above 4 GiB (hw/i386/pc_piix.c)
START_KERNEL_MAP = 0xFFFFFFFF80000000
DEFAULT_TEXT = 0xFFFFFFFF81000000
MODULES = ["qemu_fw_cfg", "virtio_pci", "virtio_blk"]
LIVED_IN = ["tun", "fuse", "loop"]  # which tasks of tests/agreement/people.c sleep in, and one that has a thread of its own
DISK_BYTES = 2 * GIB  # sparse
BOOT_SECONDS = 240    # a busy machine takes its time


@dataclasses.dataclass(frozen=True)
class Guest:
    name: str
    mib: int = 256
    la57: bool = False
    append: str = ""
    vmcoreinfo: bool = True
    package: str = kernel.PACKAGE
    suite: str = ""         # of Debian, that the package is of; "" is the one that apt itself uses
    work: str = "spin"    # what its init does, in words of its own
    ends: str = "fact end"  # on the console, when it is worth dumping
    finds: tuple = ()       # rules that may fire, in a dump that has the state for them
    damaged: bool = False   # its dumps are also damaged

    @property
    def saved(self):
        """It saves its memory itself, with a second kernel."""
        return "kexec" in self.work

    @property
    def told(self):
        """It writes down what is true of all that runs in it."""
        return "truth" in self.work

    @property
    def ram(self):
        """[(first, last)] of its memory, as QEMU has it; without the VGA window, which some take for memory and some do not."""
        n = self.mib * MIB
        low = [(0, VGA - 1), (VGA_END, min(n, LOW_END) - 1)]
        return low if n <= LOW_END else [*low, (4 * GIB, 4 * GIB + n - LOW_END - 1)]


GUESTS = (
    Guest("kaslr-4level", damaged=True),
    Guest("fixed-4level", mib=512, append="nokaslr pti=on", vmcoreinfo=False, work="scatter", ends="fact scattered"),
    Guest("kaslr-5level", la57=True),
    Guest("kaslr-5level-silent", la57=True, append="pti=on", vmcoreinfo=False),
    Guest("panicked", work="spin crash", ends="end Kernel panic", finds=("cpu-hlt-if0",)),
    Guest("plain-kernel", mib=512, append="pti=on", package="linux-image-amd64"),
    Guest("big", mib=4096, vmcoreinfo=False),
    # Wherever KASLR puts the kernel, there are 112 MiB in one piece left.
    Guest("kdump", mib=384, append="crashkernel=112M", work="spin kexec crash", ends="fact saved"),
)


@dataclasses.dataclass
class Truth:
    name: str
    release: str
    text: int  # address of _text
    phys_base: int  # may be negative
    ram: list  # [(first, last)]
    la57: bool
    vmcoreinfo: bool
    finds: set  # rules that may fire
    cpus: list  # of each, {register: value}; None where nobody knows any more

    @property
    def kaslr(self):
        return self.text - DEFAULT_TEXT


GENERAL = r"^(R(?:[A-D]X|[SD]I|[SB]P|IP|FL|\d+)) *=([0-9a-f]{8,16})\b"
SEGMENT = r"^(ES|CS|SS|DS|FS|GS|LDT|TR) *=([0-9a-f]{4}) ([0-9a-f]{16}) ([0-9a-f]{8}) "
TABLE = r"^(GDT|IDT)= +([0-9a-f]{16}) ([0-9a-f]{8})"
OTHER = r"^(CR\d|DR\d|EFER)=([0-9a-f]+)"
NAMES = {"rfl": "rflags", "ldt": "ldtr", "gdt": "gdtr", "idt": "idtr"}


def registers(text):
    """Of one CPU in QEMU's `info registers -a`, under the names that the table reg has."""
    lines = re.sub(r" (?=[A-Z0-9]{2,4} *=)", "\n", text)
    regs = {}
    for name, value in re.findall(GENERAL, lines, re.M) + re.findall(OTHER, lines, re.M):
        regs[NAMES.get(name.lower(), name.lower())] = int(value, 16)
    for name, sel, base, limit in re.findall(SEGMENT, lines, re.M):
        name = NAMES.get(name.lower(), name.lower())
        regs |= {f"{name}.sel": int(sel, 16), f"{name}.base": int(base, 16), f"{name}.limit": int(limit, 16)}
    for name, base, limit in re.findall(TABLE, lines, re.M):
        regs |= {f"{NAMES[name.lower()]}.base": int(base, 16), f"{NAMES[name.lower()]}.limit": int(limit, 16)}
    return regs


def make_initrd(path, guest, k, programs, kexec):
    cpio = image.Cpio(path)
    for folder in ("dev", "proc", "sys", "bin", "tmp"):
        cpio.folder(folder)
    cpio.file("init", (HERE / "init").read_bytes())
    cpio.file("work", "".join(w + "\n" for w in guest.work.split()).encode(), 0o644)
    mods = k.modules(MODULES + (LIVED_IN if guest.told else []))
    for module in mods:
        cpio.file("modules/" + module.name, module.read_bytes(), 0o644)
    cpio.file("modules/list", "".join(m.name + "\n" for m in mods).encode(), 0o644)
    image.carry(cpio, ["/bin/busybox", *programs], kernel.run_quiet)
    if kexec:
        image.carry(cpio, [machines.need("kexec")], kernel.run_quiet)
        cpio.file("kexec/vmlinuz", k.vmlinuz.read_bytes(), 0o644)
        cpio.file("kexec/initrd", kexec.read_bytes(), 0o644)
    cpio.close()


class Running(machines.Svm):
    """One boot.  Used as a context: the guest is stopped in it, and the emulator ends with it."""

    def __init__(self, guest, folder, programs, inquest=None):
        """inquest: the program, where it is to capture the guest."""
        super().__init__(folder, {})
        self.guest, self.inquest, self.qmp, self.console = guest, inquest, None, []
        self.disk = folder / "disk"
        with open(self.disk, "wb") as f:
            f.truncate(DISK_BYTES)
        k, initrd = kernel.Kernel(guest.package, guest.suite), folder / "initrd"
        make_initrd(initrd, guest, k, programs, None)
        if guest.saved:
            small, initrd = initrd, folder / "initrd.kexec"
            make_initrd(initrd, guest, k, programs, small)
        with open(folder / "emulator.log", "wb") as errors:
            self.child = subprocess.Popen([str(a) for a in self.argv(k, initrd)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                          stderr=errors, preexec_fn=machines.die_with_parent)

    def argv(self, k, initrd):
        g = self.guest
        return [machines.need("qemu-system-x86_64"), "-accel", "tcg,thread=multi", "-cpu", "max" + ("" if g.la57 else ",la57=off"),
                "-m", f"{g.mib}M", "-smp", "2", "-display", "none", "-monitor", "none", "-serial", "stdio", "-nodefaults", "-no-reboot",
                "-kernel", k.vmlinuz, "-initrd", initrd, "-append", f"console=ttyS0 quiet panic=0 {g.append}",
                "-drive", f"file={self.disk},format=raw,if=none,id=out,cache=unsafe", "-device", "virtio-blk-pci,drive=out",
                "-qmp", f"unix:{self.work / 'qmp'},server=on,wait=off",
                "-qmp", f"unix:{self.work / 'qmp-capture'},server=on,wait=off", *(["-device", "vmcoreinfo"] if g.vmcoreinfo else [])]

    def __enter__(self):
        try:
            self.wait()
            self.qmp = Qmp(self.work / "qmp")
            self.qmp.ask("stop")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.qmp:
            self.qmp.close()
        self.stop()
        self.child.stdout.close()

    def wait(self):
        """Until the line that says that it is worth dumping."""
        end = time.monotonic() + BOOT_SECONDS
        for line in self.lines(lambda: end):
            if line is None:
                break
            self.console.append(line)
            if line.startswith("fact error"):
                raise BedError(f"{self.guest.name}: {line[11:]}")
            if self.guest.ends in line:
                return
        raise BedError(f"{self.guest.name}: it never said {self.guest.ends!r}: {machines.reason(self.work)}")

    def facts(self, name):
        found = [line.split()[2] for line in self.console if re.match(rf"fact {name} \S", line)]
        if not found:
            raise BedError(f"{self.guest.name}: it never said its {name}")
        return found

    def ranges(self, name):
        return [tuple(int(n, 16) for n in text.split("-")) for text in self.facts(name)]

    def saved_ram(self):
        """What a second kernel saves: all but the memory that it has itself; of it the whole pages, which every form can hold."""
        (hole, hole_last), = self.ranges("crash")
        for first, last in self.ranges("ram"):
            last -= (last + 1) % PAGE
            if first <= hole <= last:
                yield first, hole - 1
                first = hole_last + 1
            if first <= last:
                yield first, last

    def take_saved(self, path):
        """The file that the guest wrote to its disk."""
        os.truncate(self.disk, int(self.facts("saved")[0]))
        self.disk.rename(path)

    def take_told(self, folder):
        """The folder truth: what the guest wrote to its disk."""
        if not image.unpack(self.disk, folder):
            raise BedError(f"{self.guest.name}: what it told of itself is cut off")

    def go_on(self):
        """A bit; what it was before, a migration's source, could not be migrated again."""
        self.qmp.ask("cont")
        self.qmp.ask("stop")

    def registers(self):
        """Of each CPU; QEMU's text has a part for each."""
        text = self.qmp.monitor("info registers -a").replace("\r", "")
        return [registers(part) for part in re.split(r"^CPU#\d+$", text, flags=re.M)[1:]]

    def truth(self):
        g, text, code = self.guest, int(self.facts("text")[0], 16), int(self.facts("code")[0], 16)
        return Truth(g.name, self.facts("release")[0], text, code - (text - START_KERNEL_MAP),
                     list(self.saved_ram()) if g.saved else g.ram, g.la57, g.vmcoreinfo or g.saved,
                     set(g.finds), None if g.saved else self.registers())

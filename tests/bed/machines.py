"""The two emulated machines: how each is described to its emulator, started, watched and ended."""
import ctypes, os, pty, re, select, shutil, signal, socket, subprocess, time

from kernel import BedError, run_quiet


def environment(**more):
    """meson test sets MALLOC_PERTURB_, and Bochs uses memory that it never set."""
    env = dict(os.environ, **more)
    env.pop("MALLOC_PERTURB_", None)
    return env


def need(program):
    path = shutil.which(program)
    if not path:
        raise BedError(f"{program}: not installed")
    return path


def die_with_parent():
    """PR_SET_PDEATHSIG: an emulator must not outlive a test that was killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Machine:
    """A running emulator: lines() yields what the guest says on its console."""
    disk = None       # the results disk, as the guest names it
    modules = ()      # (module, its parameters)
    disk_unit = 512   # its size must be a multiple of this
    patience = None   # seconds: to boot, for a job beside its limit, for each second of that limit

    def __init__(self, work, options):
        self.work, self.options, self.child = work, options, None

    def poll(self):
        return self.child.poll() is None

    def stop(self):
        if self.child and self.poll():
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
        if self.child:
            self.child.wait()

    def lines(self, deadline):
        """Console lines until the machine ends; None once the time that deadline() yields is over."""
        buf, log = b"", open(self.work / "console.log", "ab")
        with log:
            while True:
                left = deadline() - time.monotonic()
                if left <= 0:
                    yield None
                    return
                chunk = self.read(min(left, 1.0))
                if chunk == b"":
                    return
                if chunk is None:
                    continue
                log.write(chunk)
                log.flush()
                buf += chunk
                *done, buf = buf.split(b"\n")
                for line in done:
                    yield line.decode("utf-8", "replace").rstrip("\r")


class Svm(Machine):
    """
    KVM on AMD: QEMU's own CPU emulation brings SVM, nested paging and SMM.

    QEMU 7.2 leaves the vector of an interrupt that VMRUN injected in exception_index.  When another CPU's
    turn comes before the guest's next exit, the vector is delivered once more, IF or not: a kernel then dies
    of an interrupt in the middle of its interrupt handler.  Guests that take many interrupts want cpus=1.
    """
    disk = "/dev/vda"
    modules = (("virtio_pci", ""), ("virtio_blk", ""), ("kvm-amd", ""))
    memory = 1536
    patience = (90, 20, 1)

    def start(self, kernel, initrd, image):
        cpu = "max" + ("" if self.options.get("la57", True) else ",la57=off")
        argv = [need("qemu-system-x86_64"), "-accel", "tcg,thread=single", "-cpu", cpu,
                "-m", str(self.memory), "-smp", str(self.options.get("cpus", 2)), "-display", "none", "-monitor", "none", "-serial", "stdio",
                "-nodefaults", "-no-reboot", "-kernel", str(kernel.vmlinuz), "-initrd", str(initrd),
                "-drive", f"file={image},format=raw,if=none,id=out,cache=unsafe,discard=unmap,detect-zeroes=unmap",
                "-device", "virtio-blk-pci,drive=out",
                "-append", "console=ttyS0 panic=-1 quiet mitigations=off " + self.options.get("append", "")]
        with open(self.work / "emulator.log", "wb") as errors:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                          preexec_fn=die_with_parent)

    def read(self, seconds):
        fd = self.child.stdout.fileno()
        if not select.select([fd], [], [], seconds)[0]:
            return None
        return os.read(fd, 1 << 16)


BOCHSRC = """\
megs: 768
cpu: model=corei7_skylake_x, count=1, ips=100000000, reset_on_triple_fault=0
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path="{work}/boot.iso", status=inserted
ata0-slave: type=disk, mode=flat, path="{image}", cylinders={cylinders}, heads=16, spt=63
boot: cdrom
clock: sync=none
display_library: term
panic: action=fatal
error: action=report
info: action=ignore
log: {work}/emulator.log
com1: enabled=1, mode=socket-client, dev=127.0.0.1:{port}
"""
ISOLINUX = "/usr/lib/ISOLINUX/isolinux.bin"
LDLINUX = "/usr/lib/syslinux/modules/bios/ldlinux.c32"


class Vmx(Machine):
    """KVM on Intel: Bochs emulates VMX; it boots from a CD and its console is a socket on loopback."""
    disk = "/dev/sda"
    modules = (("ata_piix", ""), ("sd_mod", ""), ("kvm-intel", "enable_apicv=0"))
    disk_unit = 16 * 63 * 512
    listener = peer = tty = None
    screen = b""
    patience = (240, 60, 25)  # its clock runs 20 times too slow when idle

    def make_cd(self, kernel, initrd):
        cd = self.work / "cd"
        cd.mkdir()
        for path in (ISOLINUX, LDLINUX):
            if not os.path.exists(path):
                raise BedError(f"{path}: not installed")
            shutil.copy(path, cd)
        shutil.copy(kernel.vmlinuz, cd / "vmlinuz")
        os.link(initrd, cd / "initrd")
        (cd / "isolinux.cfg").write_text(
            "default linux\nprompt 0\nlabel linux\n kernel vmlinuz\n append initrd=initrd console=ttyS0 panic=-1 quiet "
            "nokaslr mitigations=off nopti tsc=reliable " + self.options.get("append", "") + "\n")
        argv = [need("xorriso"), "-as", "mkisofs", "-quiet", "-o", str(self.work / "boot.iso"), "-b", "isolinux.bin",
                "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", str(cd)]
        code, _, err = run_quiet(argv)
        if code:
            raise BedError("xorriso: cannot make the boot CD: " + (err.strip().splitlines() or ["?"])[-1])
        shutil.rmtree(cd)

    def start(self, kernel, initrd, image):
        self.make_cd(kernel, initrd)
        self.listener = socket.create_server(("127.0.0.1", 0))
        (self.work / "bochsrc").write_text(BOCHSRC.format(
            work=self.work, image=image, port=self.listener.getsockname()[1],
            cylinders=os.path.getsize(image) // self.disk_unit))
        (self.work / "rc").write_text("c\n")
        self.tty, slave = pty.openpty()  # it wants a terminal
        env = environment(TERM="vt100", LINES="25", COLUMNS="80")
        self.child = subprocess.Popen(
            [need("bochs"), "-q", "-f", str(self.work / "bochsrc"), "-rc", str(self.work / "rc")],
            stdin=slave, stdout=slave, stderr=slave, env=env, preexec_fn=die_with_parent)
        os.close(slave)

    def stop(self):
        super().stop()
        log = self.work / "emulator.log"
        if not log.exists() or not log.stat().st_size:  # it died too early for a log, but not for a screen
            log.write_bytes(re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|[^\n -~]", b"", self.screen))
        for thing in (self.peer, self.listener):
            if thing:
                thing.close()
        if self.tty is not None:
            os.close(self.tty)

    def read(self, seconds):
        wait = [self.tty] + ([self.peer] if self.peer else [self.listener])
        ready = select.select(wait, [], [], seconds)[0]
        if self.tty in ready:
            try:
                self.screen = os.read(self.tty, 1 << 16) or self.screen
            except OSError:
                return b""
        if self.listener in ready:
            self.peer = self.listener.accept()[0]
        if self.peer in ready and self.peer:
            return self.peer.recv(1 << 16)
        return None if self.poll() else b""


MACHINES = {"svm": Svm, "vmx": Vmx}


def reason(work):
    """The machine's own last word, for the error line: a panic, else the last line of the emulator or the console."""
    def words(name):
        path = work / name
        text = path.read_text("utf-8", "replace") if path.exists() else ""
        return [re.sub(r"\s+", " ", s).strip() for s in text.splitlines() if s.strip()]

    console = words("console.log")
    panics = [s for s in console if "Kernel panic" in s]
    return ((panics or words("emulator.log") or console)[-1:] or ["it said nothing"])[0]

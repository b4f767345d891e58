#!/usr/bin/python3
"""A guest of QEMU with Debian's secure-boot firmware, caught with one CPU in SMM: its SMRAM, SMBASE and save area are in
the snapshot, byte for byte as QEMU's debugger shows them, and outside SMM nobody sees them.

usage: test_smm.py INQUEST

The firmware's own SMIs are waited for, by breakpoints at the first instruction of a handler: first where every CPU has
it, at SMBASE 0x30000, which the firmware then moves into TSEG; then there."""
import json, pathlib, shutil, socket, subprocess, sys, tempfile, time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "bed"), str(HERE.parent / "vmm")]
import core, machines  # noqa: E402
from qmp import Qmp  # noqa: E402

INQUEST, FIRMWARE = sys.argv[1], pathlib.Path("/usr/share/OVMF")
RESET_SMBASE, ENTRY, SAVE, SAVE_BYTES, MIB = 0x30000, 0x8000, 0xFE00, 512, 256
PATIENCE = 240  # seconds: a busy machine takes its time


class Debugger:
    """gdb's remote protocol, as much of it as is needed here."""

    def __init__(self, path):
        self.talk, self.got = socket.socket(socket.AF_UNIX), b""
        self.talk.settimeout(PATIENCE)
        for _ in range(200):
            try:
                self.talk.connect(str(path))
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("QEMU's debugger does not answer")

    def send(self, text):
        self.talk.sendall(f"${text}#{sum(text.encode()) & 0xff:02x}".encode())

    def answer(self):
        while b"#" not in self.got or len(self.got) < self.got.index(b"#") + 3:
            self.got += self.talk.recv(4096)
        begin, end = self.got.index(b"$"), self.got.index(b"#")
        text, self.got = self.got[begin + 1:end].decode(), self.got[end + 3:]
        self.talk.sendall(b"+")
        return text

    def ask(self, text):
        self.send(text)
        return self.answer()

    def memory(self, addr, n):
        """As the CPU that stopped sees it."""
        return bytes.fromhex(self.ask(f"m{addr:x},{n:x}"))


def start(folder):
    shutil.copy(FIRMWARE / "OVMF_VARS_4M.ms.fd", folder / "vars.fd")
    flash = "if=pflash,format=raw,unit="
    return subprocess.Popen(
        [machines.need("qemu-system-x86_64"), "-M", "q35,smm=on", "-accel", "tcg", "-m", f"{MIB}M", "-smp", "2", "-nodefaults", "-S",
         "-display", "none", "-global", "driver=cfi.pflash01,property=secure,value=on",
         "-drive", f"{flash}0,readonly=on,file={FIRMWARE / 'OVMF_CODE_4M.secboot.fd'}", "-drive", f"{flash}1,file={folder / 'vars.fd'}",
         "-qmp", f"unix:{folder / 'qmp'},server=on,wait=off", "-qmp", f"unix:{folder / 'qmp2'},server=on,wait=off",
         "-gdb", f"unix:{folder / 'gdb'},server=on,wait=off"], stdin=subprocess.DEVNULL, preexec_fn=machines.die_with_parent)


def sql(path, query):
    return json.loads(subprocess.run([INQUEST, "sql", "--json", path, query], stdout=subprocess.PIPE, check=True, text=True).stdout)["rows"]


def capture(folder, name):
    path = folder / name
    subprocess.run([INQUEST, "capture", "--qmp", folder / "qmp", "-o", path], check=True, stdout=subprocess.DEVNULL)
    return path, core.load(path)


def in_smm(path):
    """[(cpu, smbase)] of those in SMM."""
    return [(r["cpu"], r["smbase"]) for r in sql(path, "SELECT c.cpu, b.value AS smbase FROM reg c JOIN reg b ON b.machine_id = c.machine_id "
                                                       "AND b.cpu = c.cpu AND b.name = 'smbase' WHERE c.name = 'smm' AND c.value = 1")]


def need(ok, what):
    print("ok" if ok else "BAD", what)
    if not ok:
        sys.exit(1)


def caught(folder, name, cpu_of, smbase, save, gdb):
    """A capture of the machine as it stands: that CPU is in SMM, and the snapshot has what it sees there."""
    path, c = capture(folder, name)
    found = in_smm(path)
    need((cpu_of, smbase) in found, f"{name}: cpu {cpu_of} is in SMM with SMBASE 0x{smbase:x}: {found}")
    need(c.phys(smbase + SAVE, SAVE_BYTES, smm=True) == save, f"{name}: its save area")
    code = gdb.memory(smbase + ENTRY, 256)
    need(c.phys(smbase + ENTRY, 256, smm=True) == code and any(code), f"{name}: its handler")
    frames = sql(path, f"SELECT how, mode, pc, note FROM bt_cpu({cpu_of})")
    says = [f["note"] for f in frames if f["how"] == "save area"]
    need(frames[0]["mode"] == "smm" and frames[0]["pc"] == smbase + ENTRY and len(says) == 1 and "interrupted by the SMI" in says[0],
         f"{name}: its stack begins in the handler and has the boundary to what it interrupted: {frames}")
    behind = frames[[f["how"] for f in frames].index("save area"):]
    need(behind[0]["pc"] == int.from_bytes(save[0x178:0x180], "little"), f"{name}: which goes on at the saved RIP, {len(behind)} frames")
    return path, c


def thread(stop):
    """T05thread:02; is CPU 1."""
    need(stop.startswith("T05thread:"), f"a stop: {stop}")
    return int(stop[10:].rstrip(";"), 16) - 1


def main(folder):
    q = start(folder)
    try:
        gdb, qmp = Debugger(folder / "gdb"), Qmp(folder / "qmp2")
        gdb.ask("?")
        need(gdb.ask(f"Z1,{RESET_SMBASE + ENTRY:x},1") == "OK", "a breakpoint at the first handler")
        gdb.send("c")
        first = thread(gdb.answer())
        for step in (f"z1,{RESET_SMBASE + ENTRY:x},1", "s", f"Z1,{RESET_SMBASE + ENTRY:x},1"):
            gdb.ask(step)  # off the breakpoint
        gdb.send("c")  # the other CPU's: the first one's SMBASE lies in TSEG by now
        second = thread(gdb.answer())
        need({first, second} == {0, 1}, "the SMIs of both CPUs")
        path, c = caught(folder, "reset.core", second, RESET_SMBASE, gdb.memory(RESET_SMBASE + SAVE, SAVE_BYTES), gdb)
        need(len(in_smm(path)) == 1, "the other CPU is not")
        smbase = sql(path, f"SELECT value FROM reg WHERE name = 'smbase' AND cpu = {first}")[0]["value"]
        tseg = (MIB << 20) - (16 << 20)
        need(tseg <= smbase < MIB << 20, f"cpu {first} has its SMBASE in TSEG: 0x{smbase:x}")

        # A capture leaves QEMU in a state from which only cont leads on; then the debugger stops it.
        need(gdb.ask(f"z1,{RESET_SMBASE + ENTRY:x},1") == "OK", "the breakpoint goes")
        need(gdb.ask(f"Z1,{smbase + ENTRY:x},1") == "OK", "another at the handler in TSEG")
        qmp.ask("cont")
        stopped = thread(gdb.answer())
        need(stopped == first, f"the SMI of cpu {first}")
        path, c = caught(folder, "tseg.core", first, smbase, gdb.memory(smbase + SAVE, SAVE_BYTES), gdb)
        need(sorted(c.smram)[-1] == tseg and len(c.smram[tseg]) == 16 << 20, "all of TSEG")
        need(not any(gpa <= smbase < gpa + n for gpa, n, _ in c.loads), "which is no memory outside SMM")
        report = subprocess.run([INQUEST, "report", path], stdout=subprocess.PIPE, text=True).stdout
        need("captured from QEMU" in report and "smm-core-in-smm" in report, "the report says where it is from")
        return 0
    finally:
        q.kill()
        q.wait()


with tempfile.TemporaryDirectory() as folder:
    sys.exit(main(pathlib.Path(folder)))

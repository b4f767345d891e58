#!/usr/bin/python3
"""Other people's tools on a core of ours: Debian 13's crash, drgn, gdb and makedumpfile in a chroot, this Debian's libkdumpfile.

usage: peers.py INQUEST_VMM LINUX_INIT [--mirror URL] [--keep FOLDER]

A Linux guest is caught in the svm testbed, as an ELF core and as a compressed dump.  Each tool opens both as far as it
reads them; registers of every vCPU, tasks, log and stacks must agree.  Prints a table; exit code 0: all agree.
Wants root (debootstrap, chroot) and a gigabyte or two in the cache folder, INQ_CACHE or ~/.cache/inquest."""
import argparse, json, pathlib, re, struct, subprocess, sys, tempfile

import kdumpfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "vmm"), str(HERE.parent / "bed")]
import bed, core, image, kernel  # noqa: E402
from chroot import PACKAGES, Chroot  # noqa: E402

# Not the testbed's own cloud kernel: without CONFIG_X86_MCE crash 8.0.6 takes an exception stack for one of no bytes, and
# refuses a core whose first CPU is not in user mode ("read of stack at ... failed").
KERNEL = "linux-image-amd64"
VCPUS, MIB, SECONDS = 2, 384, 240
RUN = (f"inquest-vmm run --kernel /bin/vmlinuz --initrd /bin/root.cpio --vcpus {VCPUS} --memory {MIB} --timeout {SECONDS}"
       " --append 'console=ttyS0 quiet panic=-1 reboot=k seed=1' --snapshot a.core; [ $? = 33 ] &&"
       " inquest-vmm resume a.core --for 0 --format kdump-zlib --snapshot a.kdump")
REGS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs rflags rsp ss fs_base gs_base ds es fs gs").split()
GPRS = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi rip rflags rsp".split()
ASKED = [r for r in REGS if r != "orig_rax"]


def make_cores(vmm, init, folder):
    k, root = kernel.Kernel(KERNEL), folder / "root.cpio"
    cpio = image.Cpio(root)
    for name in ("dev", "proc", "sys"):
        cpio.folder(name)
    cpio.file("init", init.read_bytes())
    cpio.close()
    (r,), why = bed.run("svm", [bed.Job("linux", ["sh", "-c", RUN], SECONDS * 2)], [vmm, k.vmlinuz, root], folder / "bed",
                        limit=SECONDS * 3, la57=False, cpus=1)
    if why or r.code:
        raise bed.BedError(f"no core: {why or r.why or r.text('stderr').strip() or r.text('stdout')[-300:]}")
    return r.files / "a.core", r.files / "a.kdump"


def registers_of(path):
    c = core.load(path)
    return [dict(zip(REGS, struct.unpack_from("<27Q", p, 112))) for p in c.prstatus]


def crash_ask(chroot, dump):
    """Registers (of an ELF core), ps, log and stacks of one run."""
    text = "set scroll off\nhelp -r\nps\nlog\nforeach bt\nquit\n"
    out = chroot.run(["crash", "-s", "vmlinux", dump], text).stdout
    ps = sorted([int(pid), comm.strip("[]")] for pid, comm in
                re.findall(r"^>? +(\d+) +\d+ +\d+ +[0-9a-f]{16} +\w\w +[\d.]+ +\d+ +\d+ +(.+)$", out, re.M) if int(pid))
    log = [line.rstrip() for line in out.splitlines() if re.match(r"\[ *\d+\.\d{6}\]", line)]
    stacks, pid = {}, None
    for line in out.splitlines():
        head, frame = re.match(r"PID: (\d+) ", line), re.match(r" *#\d+ \[[0-9a-f]{16}\] (\S+) at ", line)
        if head:
            pid = int(head.group(1))
            stacks[pid] = []
        elif frame and pid:
            stacks[pid].append(frame.group(1))
    return {"ps": ps, "log": log, "stacks": stacks, "regs": list(crash_registers(out))}


def crash_registers(text):
    """As `help -r` prints QEMU's notes."""
    for part in re.split(r"^CPU \d+:$", text, flags=re.M)[1:]:
        regs = {name.lower(): int(v, 16) for name, v in re.findall(r"\b([A-Z0-9]{2,6}): ?([0-9a-f]{8,16})\b", part.split("CR0:")[0])}
        yield {r: regs.get(r) for r in GPRS}


def drgn_ask(chroot, dump):
    done = chroot.run(["python3", "ask_drgn.py", "vmlinux", dump])
    if done.returncode:
        return {"ps": [], "log": [], "stacks": {}, "regs": [], "error": (done.stderr.strip().splitlines() or ["no reason"])[-1]}
    got = json.loads(done.stdout)
    got["log"] = [line.rstrip() for line in got["log"]]  # as crash prints them
    got["stacks"] = {int(pid): frames for pid, frames in got["stacks"].items()}
    return got


def gdb_registers(chroot, dump):
    names = ["eflags" if r == "rflags" else r for r in ASKED]
    ask = [a for i in range(VCPUS) for a in ("-ex", f"thread {i + 1}", *[a for n in names for a in ("-ex", f"p/x ${n}")])]
    values = [int(v, 16) for v in re.findall(r"^\$\d+ = (0x[0-9a-f]+)$", chroot.run(["gdb", "-nx", "-batch", *ask, "-c", dump]).stdout, re.M)]
    return [dict(zip(ASKED, values[i * len(ASKED):])) for i in range(VCPUS)]


def kdumpfile_registers(path):
    k = kdumpfile.kdumpfile(str(path))
    return [{name: k.attr[f"cpu.{i}.reg.{name}"] for name in ASKED} for i in range(k.attr["cpu.number"])]


def kernel_frames(frames):
    """Without user mode's; crash names the entry by another of its labels."""
    return [f.replace("_after_hwframe", "") for f in frames if not f.startswith("0x")]


def same_stacks(a, b):
    """Tasks whose frames are the same, and those of both."""
    both = [pid for pid in a if pid in b and b[pid]]
    return [pid for pid in both if a[pid] and kernel_frames(a[pid]) == kernel_frames(b[pid])], both


def compare(chroot, path):
    """(tool, what, figure, good)"""
    regs = [{n: r[n] for n in ASKED} for r in registers_of(path)]
    yield "gdb", "registers", f"{VCPUS} vCPUs", gdb_registers(chroot, "a.core") == regs
    yield "libkdumpfile", "registers", f"{VCPUS} vCPUs", kdumpfile_registers(path) == regs
    base, gprs = drgn_ask(chroot, "a.core"), [{n: r[n] for n in GPRS} for r in regs]
    yield "drgn", "registers", f"{VCPUS} vCPUs", [{n: r.get(n) for n in GPRS} for r in base["regs"]] == gprs
    yield "drgn", "ps, ELF", base.get("error", f"{len(base['ps'])} tasks"), len(base["ps"]) > 20
    yield "drgn", "log, ELF", f"{len(base['log'])} lines", len(base["log"]) > 50
    yield "drgn", "stacks, ELF", f"{len(base['stacks'])} tasks", len(base["stacks"]) > 20 and \
        all(f and not f[0].startswith("error") for f in base["stacks"].values())
    made = chroot.run(["makedumpfile", "-f", "-d", "31", "-c", "a.core", "filtered"])
    yield "makedumpfile", "filters it", "-d 31 -c", made.returncode == 0
    for tool, ask, dump, name in (("drgn", drgn_ask, "a.kdump", "kdump"), ("crash", crash_ask, "a.core", "ELF"),
                                  ("crash", crash_ask, "a.kdump", "kdump"), ("crash", crash_ask, "filtered", "filtered")):
        got = ask(chroot, dump)
        same, both = same_stacks(base["stacks"], got["stacks"])
        if (tool, name) == ("crash", "ELF"):
            yield tool, "registers", f"{VCPUS} vCPUs", got["regs"] == gprs
        yield tool, f"ps, {name}", got.get("error", f"{len(got['ps'])} tasks"), got["ps"] == base["ps"]
        yield tool, f"log, {name}", f"{len(got['log'])} lines", got["log"] == base["log"]
        yield tool, f"stacks, {name}", f"{len(same)} of {len(both)}", len(both) > 20 and len(same) == len(both)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("vmm", type=pathlib.Path)
    ap.add_argument("init", type=pathlib.Path)
    ap.add_argument("--mirror", help="of Debian; else apt's own")
    ap.add_argument("--keep", type=pathlib.Path, help="use the cores in there, or make them")
    args = ap.parse_args()
    try:
        chroot = Chroot(args.mirror)
        with tempfile.TemporaryDirectory() as tmp:
            folder = args.keep or pathlib.Path(tmp)
            folder.mkdir(parents=True, exist_ok=True)
            paths = folder / "bed/linux/files/a.core", folder / "bed/linux/files/a.kdump"
            if not all(p.exists() for p in paths):
                paths = make_cores(args.vmm.resolve(), args.init.resolve(), folder)
            for p in (*paths, HERE / "ask_drgn.py"):
                chroot.put(p)
            chroot.put(kernel.Kernel(KERNEL).debug(), "vmlinux")
            print(", ".join(f"{p} {chroot.version(p)}" for p in PACKAGES.split(",")))
            bad = 0
            for tool, what, figure, good in compare(chroot, paths[0]):
                print(f"{tool:13} {what:17} {figure:14} {'agrees' if good else 'DIFFERS'}", flush=True)
                bad += not good
    except (bed.BedError, core.Bad, OSError, subprocess.TimeoutExpired) as e:
        print(f"peers: {e}", file=sys.stderr)
        return 2
    print("all agree" if not bad else f"{bad} differ")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

"""What drgn and crash say of a dump, each with the debug kernel, in a chroot that has versions that work."""
import json, pathlib, re

import model

HERE = pathlib.Path(__file__).resolve().parent
FRAME = re.compile(r" *#\d+ \[[0-9a-f]{16}\] \S+ at ([0-9a-f]{16})")
TASK = re.compile(r"^>? +(\d+) +(\d+) +(\d+) +([0-9a-f]{16}) +(\w\w) +[\d.]+ +\d+ +\d+ +(.+)$", re.M)
SECONDS = 1800  # crash's sym -l takes minutes
INDENT = len("[    0.000000] ")
STATES = {"RU": "R", "IN": "S", "UN": "D", "ID": "I", "ST": "T", "ZO": "Z", "TR": "t", "DE": "X", "PA": "P", "WA": "W"}


def ask_drgn(chroot, dump, vmcoreinfo, files):
    """JSON; files: names in the chroot of the kernel's and the modules' ELF files; vmcoreinfo: of its text, or None."""
    done = chroot.run(["python3", "ask_drgn_all.py", dump, vmcoreinfo or "", ",".join(model.STRUCTS), *files])
    return json.dumps({"error": (done.stderr.strip().splitlines() or ["no reason"])[-1]}) if done.returncode else done.stdout


def read_drgn(text):
    said, got = model.Said("drgn"), json.loads(text)
    if "error" in got:
        said.trouble.append(got["error"])
        return said
    said.trouble += [v["error"] for v in got.values() if isinstance(v, dict) and "error" in v]
    if isinstance(got["symbols"], list):
        said.symbols = {(name, at) for name, at, _ in got["symbols"]}
    if "error" not in got["modules"]:
        said.modules = {name: (m["base"], m["size"]) for name, m in got["modules"].items()}
    if isinstance(got["log"], list):
        said.log = [(ns / 1e9, text) for _, ns, _, text in got["log"]]
    said.structs = {name: (s["size"], {(m, at, bits) for m, at, bits in s["members"]}) for name, s in got["structs"].items() if s}
    if "error" not in got["tasks"]:
        said.tasks = {int(tid): t for tid, t in got["tasks"].items()}
        said.stacks = {tid: model.in_kernel([pc for pc, _, inlined in t["stack"]["frames"] if not inlined]) for tid, t in said.tasks.items()}
    return said


def crash_struct(text):
    """(size, members) of `struct -o`; those of a structure that has a name are that one's, and left out; else the outer one's."""
    size = re.search(r"^SIZE: (\d+|0x[0-9a-f]+)", text, re.M)
    found = [[]]
    for line in text.splitlines():
        member = re.match(r" *\[(\d+)\] +(.*?)(\w+)(?:\[[^;]*\])?(?:\)\([^;]*\))?( : \d+)?;$", line)
        if line.rstrip().endswith("{"):
            found.append([])
        elif (end := re.match(r" *(?:\[(\d+)\] +)?\}(?: (\w+).*)?;?$", line)) and len(found) > 1:
            inner = found.pop()
            found[-1] += inner if not end.group(2) else [(end.group(2), 8 * int(end.group(1)), None)] if end.group(1) else []
        elif member and not member.group(4):
            found[-1].append((member.group(3), 8 * int(member.group(1)), None))
    return (int(size.group(1), 0), set(found[0])) if size else None


def crash_stacks(text):
    tid = None
    stacks = {}
    for line in text.splitlines():
        head, frame = re.match(r"PID: (\d+) ", line), FRAME.match(line)
        if head:
            tid = int(head.group(1))
            stacks[tid] = []
        elif frame and tid:
            stacks[tid].append(int(frame.group(1), 16))
    stacks.pop(0, None)
    return {tid: model.in_kernel(pcs) for tid, pcs in stacks.items()}


def unindented(record):
    """Lines of a record after its first are indented by the width of its time."""
    first, *more = record.rstrip("\n").split("\n")
    return "\n".join([first, *[line.removeprefix(" " * INDENT) for line in more]])


def crash_parts(out):
    """What it printed after each command, which it is made to announce."""
    parts = re.split(r"^=== (.*)$", out, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def ask_crash(chroot, dump, vmlinux):
    commands = ["ps", "log", "mod", "foreach bt", "sym -l", *[name.replace("struct", "struct -o") for name in model.STRUCTS]]
    text = "set scroll off\n" + "".join(f"!echo === '{c}'\n{c}\n" for c in commands) + "quit\n"
    return chroot.run(["crash", "-s", vmlinux, dump], text, SECONDS).stdout


def read_crash(out):
    parts, said = crash_parts(out), model.Said("crash")
    if "ps" not in parts:
        said.trouble.append((out.strip().splitlines() or ["no reason"])[-1])
        return said
    said.tasks = {int(tid): {"comm": comm.strip("[]"), "state": STATES.get(state, state), "at": int(at, 16), "cpu": int(cpu)}
                  for tid, ppid, cpu, at, state, comm in TASK.findall(parts["ps"]) if int(tid)}
    records = re.split(r"^\[ *(\d+\.\d{6})\] ", parts["log"], flags=re.M)[1:]
    said.log = [(float(at), unindented(body)) for at, body in zip(records[::2], records[1::2])]
    said.modules = {name: (int(base, 16), int(size)) for name, base, size in
                    re.findall(r"^[0-9a-f]{16} +(\S+) +([0-9a-f]{16}) +(\d+) ", parts["mod"], re.M)}
    said.symbols = {(name, int(at, 16)) for at, name in re.findall(r"^([0-9a-f]{16}) \(.\) (\S+)$", parts["sym -l"], re.M)}
    said.stacks = crash_stacks(parts["foreach bt"])
    got = {name: crash_struct(parts.get(name.replace("struct", "struct -o"), "")) for name in model.STRUCTS}
    said.structs = {name: s for name, s in got.items() if s}
    return said

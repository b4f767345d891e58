"""What anyone says of a dump, in one form, whoever says it; and a guest's own words read into it."""
import dataclasses, re

GONE = {"witness", "tar", "sync", "dmesg", "sh"}  # tasks of the telling itself, which is over when a guest is dumped


@dataclasses.dataclass
class Said:
    """None: not asked, or it cannot tell."""
    who: str
    symbols: set = None   # {(name, address)}
    modules: dict = None  # {name: (base, size)}
    tasks: dict = None    # {tid: {tgid, comm, state, ppid, ...}}
    log: list = None      # [(seconds to the microsecond, text)]
    stacks: dict = None   # {tid: [function+0xoffset or the bare function]}
    structs: dict = None  # {name: (size, {(member, offset in bits, bits)})}
    trouble: list = dataclasses.field(default_factory=list)  # what went wrong, in words


def told_symbols(text):
    for line in text.splitlines():
        at, _, name = line.split("\t")[0].split(" ", 2)
        yield name, int(at, 16)


def told_modules(text):
    for line in text.splitlines():
        name, size, *_, at = line.split(" ")[:6]
        yield name, (int(at, 16), int(size))


def told_tasks(text):
    """Lines of TGID and /proc/PID/task/TID/stat; comm may hold anything, so it ends at the last parenthesis."""
    for tgid, tid, comm, rest in re.findall(r"^(\d+) (\d+) \((.*)\) (.*)$", text, re.M):
        state, ppid, *rest = rest.split()
        yield int(tid), {"tgid": int(tgid), "comm": comm, "state": state, "ppid": int(ppid), "flags": int(rest[4]),
                         "cpu": int(rest[34])}


def told_log(text):
    """Records of /dev/kmsg: prefix;text, continuation lines indented.  It escapes what is not printable as \\xHH."""
    for _, seq, usec, body in re.findall(r"^(\d+),(\d+),(\d+),[^;]*;(.*)$", text, re.M):
        yield int(usec) / 1e6, body


def told_stacks(text):
    for part in re.split(r"^task ", text, flags=re.M)[1:]:
        tid, *lines = part.splitlines()
        yield int(tid), [re.sub(r"^\[<0>\] ", "", line).split("/")[0] for line in lines]


def told(folder):
    """Of the guest itself: files that witness.c wrote."""
    text = {f: (folder / f).read_text("utf-8", "replace") for f in ("kallsyms", "modules", "ps", "kmsg", "stacks")}
    tasks = dict(told_tasks(text["ps"]))
    gone = {tid for tid, t in tasks.items() if t["comm"] in GONE}
    return Said("guest", set(told_symbols(text["kallsyms"])), dict(told_modules(text["modules"])),
                {tid: t for tid, t in tasks.items() if tid not in gone}, list(told_log(text["kmsg"])),
                {tid: s for tid, s in told_stacks(text["stacks"]) if tid not in gone})

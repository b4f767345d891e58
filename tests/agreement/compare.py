"""Two sayings of one dump beside each other: what differs, one by one."""
import dataclasses

TASK_FIELDS = ("tgid", "comm", "state", "ppid", "cpu", "flags", "at")
PF_KTHREAD = 0x200000
MICROSECOND = 1.5e-6  # times are told to the microsecond by some


@dataclasses.dataclass(frozen=True)
class Difference:
    what: str     # symbols, structs, tasks, log, modules, stacks
    with_whom: str
    key: str      # which of them
    ours: str
    theirs: str


@dataclasses.dataclass
class Compared:
    what: str
    with_whom: str
    count: int = 0                 # how many both tell of, and were compared
    only_ours: int = 0             # that they do not tell of, and need not
    differences: list = dataclasses.field(default_factory=list)

    def differ(self, key, ours, theirs):
        self.differences.append(Difference(self.what, self.with_whom, str(key), str(ours), str(theirs)))


def hexed(values):
    return " ".join(f"{v:x}" if isinstance(v, int) else "|".join(f"{x:x}" for x in sorted(v)) for v in values)


def called(tid, *tasks):
    """As ps does it: a thread of the kernel in brackets."""
    t = {field: value for task in tasks if task for field, value in task.items()}
    return f"{tid} [{t['comm']}]" if t.get("flags", 0) & PF_KTHREAD else f"{tid} {t.get('comm', '?')}"


def by_name(symbols):
    at = {}
    for name, address in symbols:
        at.setdefault(name, set()).add(address)
    return at


def symbols(out, ours, them):
    """The guest lists exactly the kernel's own names; ELF files have others as well, and lack what exists only in memory."""
    mine, theirs = by_name(ours.symbols), by_name(them.symbols)
    for name, at in sorted(mine.items()):
        if name not in theirs:
            if them.who == "guest":
                out.differ(name, hexed(sorted(at)), "none")
            else:
                out.only_ours += 1
            continue
        out.count += len(at)
        lost = at - theirs[name]
        if lost:
            out.differ(name, hexed(sorted(lost)), hexed(sorted(theirs[name])))
        if them.who == "guest" and theirs[name] - at:
            out.differ(name, "none", hexed(sorted(theirs[name] - at)))
    if them.who == "guest":
        for name in sorted(set(theirs) - set(mine)):
            out.differ(name, "none", hexed(sorted(theirs[name])))


def structs(out, ours, them):
    for name, (size, members) in sorted(them.structs.items()):
        if name not in ours.structs:
            out.differ(name, "none", f"{size} bytes")
            continue
        my_size, mine = ours.structs[name]
        if size != my_size:
            out.differ(name, f"{my_size} bytes", f"{size} bytes")
        if any(bits is None for _, _, bits in members):  # whole bytes only: of bit-fields it tells the word
            mine_at = {m: at for m, at, _ in mine}
            for m, at, bits in sorted(members):
                out.count += 1
                if mine_at.get(m) != at:
                    out.differ(f"{name}.{m}", mine_at.get(m), at)
            continue
        out.count += len(members)
        for m, at, bits in sorted(mine ^ members):
            in_mine = (m, at, bits) in mine
            out.differ(f"{name}.{m}", f"bit {at}, {bits} bits" if in_mine else "none", "none" if in_mine else f"bit {at}, {bits} bits")


def tasks(out, ours, them):
    for tid in sorted(set(ours.tasks) ^ set(them.tasks)):
        mine = tid in ours.tasks
        out.differ(called(tid, them.tasks.get(tid), ours.tasks.get(tid)), "there" if mine else "none", "none" if mine else "there")
    for tid in sorted(set(ours.tasks) & set(them.tasks)):
        out.count += 1
        a, b = ours.tasks[tid], them.tasks[tid]
        for field in TASK_FIELDS:
            if field in a and field in b and a[field] != b[field]:
                out.differ(f"{called(tid, b, a)} {field}", a[field], b[field])


def log(out, ours, them):
    out.count = min(len(ours.log), len(them.log))
    for i in range(max(len(ours.log), len(them.log))):
        a, b = (said.log[i] if i < len(said.log) else None for said in (ours, them))
        if a is None or b is None or abs(a[0] - b[0]) > MICROSECOND or a[1].rstrip() != b[1].rstrip():
            out.differ(f"record {i}", a, b)


def modules(out, ours, them):
    out.count = len(set(ours.modules) & set(them.modules))
    for name in sorted(set(ours.modules) | set(them.modules)):
        a, b = ours.modules.get(name), them.modules.get(name)
        if a != b:
            out.differ(name, a and f"{a[0]:x} {a[1]}", b and f"{b[0]:x} {b[1]}")


def without_scheduler(pcs, text):
    """What /proc/PID/stack leaves out (kernel/stacktrace.c: stack_trace_consume_entry_nosched): functions of the scheduler."""
    first, end = text
    return [pc for pc in pcs if not first <= pc < end]


def scheduler_text(said):
    at = by_name(said.symbols)
    return min(at["__sched_text_start"]), max(at["__sched_text_end"])


def guest_stacks(out, ours, guest):
    """Only of tasks that slept: the others have moved."""
    text = scheduler_text(guest)
    for tid, want in sorted(guest.stacks.items()):
        t = guest.tasks.get(tid)
        if not t or t["state"] in "RX" or tid not in ours.stacks or not want and t["state"] == "Z":
            continue
        out.count += 1
        got = without_scheduler(ours.stacks[tid], text)
        if len(got) != len(want) or not all(pc in pcs for pc, pcs in zip(got, want)):
            out.differ(called(tid, t), hexed(got), hexed(want))


def stacks(out, ours, them):
    if them.who == "guest":
        guest_stacks(out, ours, them)
        return
    for tid in sorted(set(ours.stacks) & set(them.stacks)):
        out.count += 1
        if ours.stacks[tid] != them.stacks[tid]:
            out.differ(called(tid, them.tasks.get(tid), ours.tasks.get(tid)), hexed(ours.stacks[tid]), hexed(them.stacks[tid]))


WHAT = {"symbols": symbols, "structs": structs, "tasks": tasks, "log": log, "modules": modules, "stacks": stacks}


def compare(ours, them):
    """One Compared of each thing that both tell of."""
    for what, how in WHAT.items():
        if getattr(ours, what) is not None and getattr(them, what) is not None:
            out = Compared(what, them.who)
            how(out, ours, them)
            yield out

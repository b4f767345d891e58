"""What anyone says of a dump, in one form, whoever says it; and a guest's own words read into it."""
import dataclasses, re

GONE = {"witness"}  # tasks of the telling itself, which is over when a guest is dumped
COMM = 15
KERNEL_HALF = 1 << 63
STRUCTS = tuple("struct " + name for name in (
    "task_struct thread_info thread_struct mm_struct vm_area_struct page folio pid upid signal_struct sighand_struct files_struct"
    " fdtable file inode dentry super_block mount path qstr cred nsproxy module list_head hlist_head rb_node xarray xa_node maple_tree"
    " kmem_cache slab zone pglist_data rq cfs_rq rt_rq sched_entity hrtimer timer_list work_struct workqueue_struct pool_workqueue"
    " worker worker_pool printk_ringbuffer prb_desc printk_info pt_regs irq_desc net_device sock sk_buff rcu_data mutex rw_semaphore"
    " completion request_queue bio gendisk cpuinfo_x86").split())


@dataclasses.dataclass
class Said:
    """None: not asked, or it cannot tell."""
    who: str
    symbols: set = None   # {(name, address)}
    modules: dict = None  # {name: (base, size)}
    tasks: dict = None    # {tid: {tgid, comm, state, ppid, ...}}; nobody's idle tasks
    log: list = None      # [(seconds, text)]
    stacks: dict = None   # {tid: [pc, ...]} in the kernel, innermost first, inlined functions left out
    structs: dict = None  # {name: (size, {(member, offset in bits, bits)})}; bits None: untold
    trouble: list = dataclasses.field(default_factory=list)  # what went wrong, in words


def in_kernel(pcs):
    """Up to where user mode begins."""
    for i, pc in enumerate(pcs):
        if pc < KERNEL_HALF:
            return pcs[:i]
    return list(pcs)


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
        comm = re.sub(r"^(kworker/u?\d+:\w+)[-+].*", r"\1", comm)[:COMM]  # of a worker it tells its work, too (fs/proc/array.c)
        yield int(tid), {"tgid": int(tgid), "comm": comm, "state": state, "ppid": int(ppid), "flags": int(rest[4]),
                         "cpu": int(rest[34])}


def told_log(text):
    """Records of /dev/kmsg: prefix;text, continuation lines indented.  It escapes what is not printable as \\xHH."""
    for _, seq, usec, body in re.findall(r"^(\d+),(\d+),(\d+),[^;]*;(.*)$", text, re.M):
        yield int(usec) / 1e6, re.sub(r"\\x([0-9a-f]{2})", lambda f: chr(int(f.group(1), 16)), body)


def told_stacks(text, symbols):
    """[function+0xoffset/0xsize [module]] become addresses; of equal names every one."""
    at = {}
    for name, address in symbols:
        at.setdefault(name, []).append(address)
    for part in re.split(r"^task ", text, flags=re.M)[1:]:
        tid, *lines = part.splitlines()
        found = [re.match(r"\[<0>\] (\S+)\+0x([0-9a-f]+)/", line) for line in lines]
        yield int(tid), [{a + int(f.group(2), 16) for a in at.get(f.group(1), [])} for f in found if f]


def told(folder):
    """Of the guest itself: files that witness.c wrote.  Its stacks have sets of addresses, and nothing of the scheduler's."""
    text = {f: (folder / f).read_text("utf-8", "replace") for f in ("kallsyms", "modules", "ps", "kmsg", "stacks")}
    tasks, symbols = dict(told_tasks(text["ps"])), set(told_symbols(text["kallsyms"]))
    gone = {tid for tid, t in tasks.items() if t["comm"] in GONE}
    return Said("guest", symbols, dict(told_modules(text["modules"])),
                {tid: t for tid, t in tasks.items() if tid not in gone}, list(told_log(text["kmsg"])),
                {tid: s for tid, s in told_stacks(text["stacks"], symbols) if tid not in gone})

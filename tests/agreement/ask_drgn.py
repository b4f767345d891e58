"""What drgn says of a dump, as JSON: run inside the chroot.  usage: ask_drgn.py DUMP VMCOREINFO|'' STRUCT,... VMLINUX [MODULE ...]

Members of a structure are those of its anonymous members, too, under their own names, with their offset in bits."""
import json, os, sys, time

import drgn
from drgn.helpers.linux.module import for_each_module
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.printk import get_printk_records
from drgn.helpers.linux.sched import task_cpu, task_state_to_char

dump, vmcoreinfo, structs, *files = sys.argv[1:]
FAULTS = (ValueError, LookupError, drgn.FaultError)


def open_dump():
    told = open(vmcoreinfo, "rb").read() if vmcoreinfo else None
    prog = drgn.Program(vmcoreinfo=told) if told else drgn.Program()
    prog.set_core_dump(dump)
    prog.load_debug_info(files)
    return prog


def symbols(prog):
    """Those with a name, which the kernel has as well: [[name, address, size]]"""
    return [[s.name, s.address, s.size] for s in prog.symbols() if s.name]


def members(of, base=0):
    for m in of.members or ():
        at = base + m.bit_offset
        if m.name is None:
            yield from members(bare(m.type), at)
        else:
            bits = m.bit_field_size
            if bits is None and bare(m.type).is_complete():
                bits = 8 * size_of(m.type)
            yield m.name, at, bits


def bare(of):
    while of.kind == drgn.TypeKind.TYPEDEF:
        of = of.type
    return of


def size_of(of):
    of = bare(of)
    return size_of(of.type) * (of.length or 0) if of.kind == drgn.TypeKind.ARRAY else drgn.sizeof(of)


def layout(prog, name):
    try:
        of = prog.type(name)
    except LookupError:
        return None
    return {"size": of.size, "members": sorted(members(bare(of)), key=lambda m: (m[1], m[0]))}


def frames(prog, task):
    """[[pc, function + offset, whether it is inlined]]; how it ended, if not well."""
    try:
        trace = prog.stack_trace(task)
    except FAULTS as e:
        return {"frames": [], "error": str(e)}
    return {"frames": [[f.pc, f.name or "", f.is_inline] for f in trace]}


def tasks(prog):
    for t in for_each_task(prog):
        yield t.pid.value_(), {"tgid": t.tgid.value_(), "comm": t.comm.string_().decode("utf-8", "replace"), "at": t.value_(),
                               "state": task_state_to_char(t), "ppid": t.real_parent.tgid.value_(), "cpu": task_cpu(t),
                               "flags": t.flags.value_(), "on_cpu": t.on_cpu.value_(), "stack": frames(prog, t)}


def log(prog):
    return [[r.seq, r.timestamp, r.level, r.text.decode("utf-8", "replace")] for r in get_printk_records(prog)]


def modules(prog):
    for m in for_each_module(prog):
        try:
            size = sum(m.mem[i].size.value_() for i in range(7))
            base = m.mem[0].base.value_()
        except AttributeError:
            base, size = m.core_layout.base.value_(), m.core_layout.size.value_()
        yield m.name.string_().decode(), {"base": base, "size": size, "refs": m.refcnt.counter.value_() - 1}


def attempt(what, ask):
    try:
        return ask()
    except FAULTS as e:
        return {"error": f"{what}: {e}"}


began = time.monotonic()
prog = open_dump()
opened = time.monotonic() - began
json.dump({"opened_s": opened, "symbols": attempt("symbols", lambda: symbols(prog)),
           "structs": {name: layout(prog, name) for name in structs.split(",")},
           "tasks": attempt("tasks", lambda: dict(tasks(prog))), "log": attempt("log", lambda: log(prog)),
           "modules": attempt("modules", lambda: dict(modules(prog)))}, sys.stdout)

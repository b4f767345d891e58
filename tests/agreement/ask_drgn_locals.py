"""What drgn says of the variables of every task's frames, as JSON: run inside the chroot.  usage: ask_drgn_locals.py DUMP VMLINUX [MODULE ...]

[[pid, pc, function, {name: value}]]: an integer, [address] of an object, or null where there is none."""
import json, sys

import drgn
from drgn.helpers.linux.pid import for_each_task

NUMBERS = (drgn.TypeKind.INT, drgn.TypeKind.BOOL, drgn.TypeKind.POINTER, drgn.TypeKind.ENUM)


def bare(of):
    while of.kind == drgn.TypeKind.TYPEDEF:
        of = of.type
    return of


def value(frame, name):
    try:
        o = frame[name]
        if o.absent_:
            return None
        return int(o.value_()) if bare(o.type_).kind in NUMBERS else [o.address_]
    except (ValueError, LookupError, TypeError, drgn.FaultError):
        return None


def frames(prog, task):
    try:
        return list(prog.stack_trace(task))
    except (ValueError, LookupError, drgn.FaultError):
        return []


def locals_of(frame):
    try:
        return {name: value(frame, name) for name in frame.locals()}
    except LookupError:
        return {}


prog = drgn.Program()
prog.set_core_dump(sys.argv[1])
prog.load_debug_info(sys.argv[2:])
print(json.dumps([[t.pid.value_(), f.pc, f.name, locals_of(f)] for t in for_each_task(prog) for f in frames(prog, t) if f.name]))

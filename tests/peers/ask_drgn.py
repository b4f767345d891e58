"""What drgn says of a core, as JSON: run inside the chroot.  usage: ask_drgn.py VMLINUX CORE"""
import json, sys

import drgn
from drgn.helpers.linux.cpumask import for_each_online_cpu
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.printk import get_dmesg
from drgn.helpers.linux.sched import cpu_curr

prog = drgn.Program()
prog.set_core_dump(sys.argv[2])
prog.load_debug_info([sys.argv[1]])


def frames(task):
    try:
        return [f.name for f in prog.stack_trace(task) if not f.is_inline]
    except (ValueError, LookupError, drgn.FaultError) as e:
        return [f"error: {e}"]


def running(prog):
    """Of each CPU, the registers of what runs there."""
    for cpu in for_each_online_cpu(prog):
        yield prog.stack_trace(cpu_curr(prog, cpu))[0].registers()


tasks = list(for_each_task(prog))
json.dump({"regs": list(running(prog)), "ps": sorted([t.pid.value_(), t.comm.string_().decode()] for t in tasks),
           "log": get_dmesg(prog).decode().splitlines(),
           "stacks": {t.pid.value_(): frames(t) for t in tasks if t.on_cpu.value_() == 0}}, sys.stdout)

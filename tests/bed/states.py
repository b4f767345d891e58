"""What each scenario claims, looked up in the raw notes of its snapshot: it shows that the guest really is where
the scenario's text says, whatever inquest makes of it.  A scenario without an entry here has its checks elsewhere
(tests/vmm/test_kvm.py, tests/vmm/test_resume.py) or is held to its findings alone."""
import struct

LVT_TIMER, TIMER_INITIAL, TIMER_CURRENT, SVR, ISR, IRR = 0x320, 0x380, 0x390, 0xF0, 0x100, 0x200
MASKED, IF, MP_HALTED, SHUTDOWN = 1 << 16, 1 << 9, 3, 2


def cpus(d):
    return range(int(d["vcpus"]))


def lapic(c, cpu, reg):
    return struct.unpack_from("<I", c.notes["lapic", cpu], reg)[0]


def vectors(c, cpu, base):
    """The vectors whose bits are set in ISR or IRR."""
    return {32 * i + bit for i in range(8) for bit in range(32) if lapic(c, cpu, base + 16 * i) >> bit & 1}


def regs(c, cpu):
    """rip, rflags"""
    return struct.unpack_from("<QQ", c.notes["regs", cpu], 128)


def halted(c, cpu):
    return struct.unpack("<I", c.notes["mp_state", cpu])[0] == MP_HALTED


def word(c, d, name, size=4):
    return int.from_bytes(c.phys(int(d[name], 0), size), "little")


def in_code(c, d, cpu):
    return 0 <= regs(c, cpu)[0] - int(d[f"code[{cpu}]"], 0) < 0x1000


def waits_for_a_tick(c, d, ticks):
    cpu = int(d["cpu"])
    yield "the core sleeps with interrupts on", halted(c, cpu) and regs(c, cpu)[1] & IF
    yield f"it ticked {ticks} times", word(c, d, f"counter[{cpu}]", 8) in ticks
    yield "no interrupt waits", not vectors(c, cpu, IRR) | vectors(c, cpu, ISR)
    for i in cpus(d):
        if i != cpu:
            yield f"the timer of core {i} runs", not lapic(c, i, LVT_TIMER) & MASKED and lapic(c, i, TIMER_INITIAL)


def lapic_masked(c, d):
    yield from waits_for_a_tick(c, d, (3, 4))  # one may have waited in IRR already when the third masked the timer
    yield "its timer is masked", lapic(c, int(d["cpu"]), LVT_TIMER) & MASKED


def lapic_stopped(c, d):
    cpu = int(d["cpu"])
    yield from waits_for_a_tick(c, d, (3,))
    yield "its timer is one-shot and not masked", lapic(c, cpu, LVT_TIMER) >> 16 & 7 == 0
    yield "it was armed and has run out", lapic(c, cpu, TIMER_INITIAL) and not lapic(c, cpu, TIMER_CURRENT)


def deadlock(c, d):
    for name in ("lock_a", "lock_b"):
        yield f"{name} is taken", word(c, d, name) == 1
    for cpu in (int(d["cpu"]), int(d["other"])):
        yield f"core {cpu} spins in its own code, interrupts on", in_code(c, d, cpu) and regs(c, cpu)[1] & IF


def ipi_lost(c, d):
    cpu, other = int(d["cpu"]), int(d["other"])
    yield "the other's LAPIC is off by software", not lapic(c, other, SVR) & 1 << 8
    yield "the other has no interrupt", not vectors(c, other, IRR) | vectors(c, other, ISR)
    yield "there is no answer", word(c, d, "ready") == 1 and word(c, d, "answer") == 0
    yield "the sender waits in its own code, interrupts on", in_code(c, d, cpu) and regs(c, cpu)[1] & IF


def lapic_x2apic_mix(c, d):
    cpu, other = int(d["cpu"]), int(d["other"])
    yield "the sender is in x2APIC mode, nobody else", [c.msr(i, 0x1B) >> 10 & 3 for i in cpus(d)] == [3 if i == cpu else 2 for i in cpus(d)]
    yield "the other's LAPIC is on", lapic(c, other, SVR) & 1 << 8
    yield "the other has no interrupt", not vectors(c, other, IRR) | vectors(c, other, ISR)
    yield "there is no answer", word(c, d, "ready") == 1 and word(c, d, "answer") == 0
    yield "the sender waits in its own code, interrupts on", in_code(c, d, cpu) and regs(c, cpu)[1] & IF


def smi_storm(c, d):
    cpu, smis = int(d["cpu"]), word(c, d, "smis")
    yield f"that core took many SMIs, as it counts them itself: {smis}", smis >= 100 and 0 <= c.msr(cpu, 0x34) - smis <= 1
    yield "nobody else took one", not any(c.msr(i, 0x34) for i in cpus(d) if i != cpu)
    smm, waits = c.notes["events", cpu][24:26]
    yield "it is in SMM, or the next SMI waits", smm or waits
    rip = smm_field(c, d, 0xFF78)
    yield f"the last SMI hit it where the first one had: 0x{rip:x}", rip & 0xFFFFFFFF == word(c, d, "rip_hit") and \
        0 <= rip - int(d[f"code[{cpu}]"], 0) < 0x1000
    yield "its code did not count any further", word(c, d, f"counter[{cpu}]", 8) == word(c, d, "count_hit")


def smi_often(c, d):
    counts = [c.msr(i, 0x34) for i in cpus(d)]
    yield f"each core took many SMIs: {counts}", min(counts) >= 20
    yield "all of them tick on", all(word(c, d, f"counter[{i}]", 8) >= 3 for i in cpus(d))


def ioapic_remote_irr(c, d):
    cpu, pin = int(d["cpu"]), 4
    irr = struct.unpack_from("<I", c.notes["ioapic", 0xFFFFFFFF], 24)[0]
    rte = struct.unpack_from("<Q", c.notes["ioapic", 0xFFFFFFFF], 32 + 8 * pin)[0]
    yield f"the pin is level-triggered and open, its Remote IRR set: 0x{rte:x}", rte >> 14 & 7 == 3
    yield "it has another vector than the one that was served", rte & 0xFF != int(d["vector"], 0) and rte & 0xFF >= 0x20
    yield "its line is up", irr >> pin & 1
    yield "no LAPIC has an interrupt", not any(vectors(c, i, IRR) | vectors(c, i, ISR) for i in cpus(d))
    yield "one was served, the core waits for the next", word(c, d, "served") == 1 and in_loop(c, d) and regs(c, cpu)[1] & IF


def triple_fault(c, d):
    cpu = int(d["cpu"])
    yield "the reason is a triple fault of that core", (c.reason, c.reason_vcpu) == (SHUTDOWN, cpu)
    last = c.notes.get(("regs@1", cpu))
    yield "what was known before it is there, in its code", last and \
        0 <= struct.unpack_from("<Q", last, 128)[0] - int(d[f"code[{cpu}]"], 0) < 0x1000


def healthy_busy(c, d):
    yield "the guarded word grew", word(c, d, "guarded", 8) > 0
    for i in cpus(d):
        yield f"core {i} ticks", word(c, d, f"counter[{i}]", 8) >= 3


def events(c, cpu):
    """nmi injected, pending, masked"""
    return tuple(c.notes["events", cpu][12:15])


def virt(c, d, linear, size=8):
    """What lies at a linear address of the guest's upper half."""
    return int.from_bytes(c.phys(linear - int(d["high"], 0), size), "little")


def rsp(c, cpu):
    return struct.unpack_from("<Q", c.notes["regs", cpu], 48)[0]


def in_loop(c, d):
    return int(d["first"], 0) <= regs(c, int(d["cpu"]))[0] < int(d["end"], 0)


def nmi_masked(c, d):
    cpu = int(d["cpu"])
    yield "one NMI is in its handler, another pending", events(c, cpu) == (0, 1, 1)
    yield "the handler loops, interrupts off", in_loop(c, d) and not regs(c, cpu)[1] & IF


def nmi_pending_irq(c, d):
    cpu = int(d["cpu"])
    yield "NMIs are blocked, none waits", events(c, cpu) == (0, 0, 1)
    yield "the timer's interrupt waits", vectors(c, cpu, IRR) == {int(d["vector"], 0)} and not vectors(c, cpu, ISR)
    yield "the handler loops, interrupts off", in_loop(c, d) and not regs(c, cpu)[1] & IF


def nmi_intgate(c, d):
    cpu = int(d["cpu"])
    yield "NMIs are blocked, none waits", events(c, cpu) == (0, 0, 1)
    yield "the frame of the exception points into the NMI handler", virt(c, d, rsp(c, cpu)) == int(d["insn"], 0)
    yield "interrupts are off", not regs(c, cpu)[1] & IF


def nmi_nested(c, d):
    cpu = int(d["cpu"])
    frame = int(d["data"], 0) + 0x3800 - 40
    yield "NMIs are blocked, none waits", events(c, cpu) == (0, 0, 1)
    yield "two NMIs came", word(c, d, "entries") == 2
    rip, _, _, old_rsp, _ = (int.from_bytes(c.phys(frame + 8 * i, 8), "little") for i in range(5))
    yield "the frame on the IST stack points into the first one's handler", int(d["first"], 0) <= rip < int(d["end"], 0)
    yield "and to the same stack", frame <= old_rsp - int(d["high"], 0) <= frame + 40


def nmi_iret_gp(c, d):
    cpu = int(d["cpu"])
    error, rip = virt(c, d, rsp(c, cpu)), virt(c, d, rsp(c, cpu) + 8)
    bad = 0x7711111111111111
    yield f"a #GP without selector, of the IRET or of its target, but 0x{error:x} at 0x{rip:x}", \
        error == 0 and rip in (int(d["insn"], 0), bad)
    if rip != bad:
        yield "its frame has a return address that is none", virt(c, d, virt(c, d, rsp(c, cpu) + 32)) == bad
    yield "interrupts are off", not regs(c, cpu)[1] & IF


def task_register(c, cpu):
    """base, selector"""
    at = 6 * 24
    sregs = c.notes.get(("sregs2", cpu)) or c.notes["sregs", cpu]
    return struct.unpack_from("<Q", sregs, at)[0], struct.unpack_from("<H", sregs, at + 12)[0]


def task(c, d, n):
    """selector, address and first ten dwords of a TSS, and the type in its descriptor"""
    selector, at = int(d[f"selector[{n}]"], 0), int(d[f"tss[{n}]"], 0)
    return selector, at, struct.unpack("<10I", c.phys(at, 40)), c.phys(int(d["data"], 0) + 0x800 + selector + 5, 1)[0] & 15


def nmi_task_switch(c, d):
    cpu, nt, busy, available = int(d["cpu"]), 1 << 14, 11, 9
    (main, _, old, a), (_, _, nmi, b), (work, at, _, e) = (task(c, d, n) for n in range(3))
    rip, flags = regs(c, cpu)
    yield "an NMI waits, which none in a handler keeps away", events(c, cpu) == (0, 1, 1)
    yield "the third task is the current one", task_register(c, cpu) == (at, work)
    yield "it counts in its loop, interrupts on, with its own ESI", in_loop(c, d) and flags & IF and word(c, d, "work") and \
        struct.unpack_from("<Q", c.notes["regs", cpu], 32)[0] == int(d["esi[2]"], 0)
    yield "it is nobody's nested task", not flags & nt
    yield f"first and third task are busy, the NMI's is not: {a}, {b}, {e}", (a, b, e) == (busy, available, busy)
    yield "the NMI's task is left behind its jump, nested in the first", \
        nmi[0] & 0xFFFF == main and nmi[9] & nt and nmi[8] == int(d["insn"], 0) + 7
    yield "the first one is left in its own code, interrupts on", 0 <= old[8] - int(d[f"code[{cpu}]"], 0) < 0x1000 and old[9] & IF
    yield "all of them are 32-bit code without paging", c.msr(cpu, 0xC0000080) & 0x500 == 0


def nmi_task_served(c, d):
    cpu, busy, available = int(d["cpu"]), 11, 9
    (main, at, _, a), (_, _, nmi, b) = (task(c, d, n) for n in range(2))
    done = word(c, d, "entries") == 2
    yield "the NMI's task is the current one, or the interrupted one", \
        task_register(c, cpu) in ((at, main), (int(d["tss[1]"], 0), int(d["selector[1]"], 0)))
    yield "the busy one is linked to the first", a == busy and nmi[0] & 0xFFFF == main
    yield f"NMIs are blocked as long as the handler runs: {events(c, cpu)}", \
        events(c, cpu)[2] == (task_register(c, cpu)[1] != main) or done
    yield f"and its task is busy: {b}", b == (available if task_register(c, cpu)[1] == main else busy)


def singlestep_leak(c, d):
    cpu, tf = int(d["cpu"]), 1 << 8
    dr6 = struct.unpack_from("<Q", c.notes["debugregs", cpu], 32)[0]
    yield "a hundred traps and more", word(c, d, "traps") >= 100
    yield "DR6.BS is set", dr6 & 1 << 14
    yield "RFLAGS.TF is set, or was when the handler was entered", \
        regs(c, cpu)[1] & tf or any(virt(c, d, rsp(c, cpu) + at) & tf for at in (16, 24))


def smm_field(c, d, at):
    """8 bytes of the hit core's SMRAM window, which only address space 1 shows."""
    return int.from_bytes(c.phys(int(d[f"smbase[{d['cpu']}]"], 0) + at, 8, smm=True), "little")


def dr6_dr7(c, cpu):
    return struct.unpack_from("<QQ", c.notes["debugregs", cpu], 32)


def smm_mode_frame(c, d, cpu):
    """rip of the exception's frame, which lies on top of the stack: the handler pushed nothing."""
    size = 8 if d["mode"] == "64" else 4
    return int.from_bytes(c.phys(rsp(c, cpu), size, smm=True), "little")


def smm_dr7gd(c, d):
    cpu, gd, bd = int(d["cpu"]), 1 << 13, 1 << 13
    dr6, dr7 = dr6_dr7(c, cpu)
    saved = smm_field(c, d, 0xFF60)
    yield "the core is in SMM, NMIs blocked", c.notes["events", cpu][24] == 1 and events(c, cpu)[2] == 1
    yield f"the saved DR7 0x{saved:x} is the guest's, with GD", saved == int(d["dr7"], 0) and saved & gd
    yield f"the #DB cleared GD and left the rest of the copy: 0x{dr7:x}", dr7 == saved & ~gd
    yield "DR6.BD came up in SMM", dr6 & bd and not smm_field(c, d, 0xFF68) & bd
    yield "the frame on the stack points to the second access", smm_mode_frame(c, d, cpu) == int(d["read_dr7"], 0)
    yield "it loops in the handler of the #DB", int(d["loop_first"], 0) <= regs(c, cpu)[0] < int(d["loop_end"], 0)


def smm_rendezvous(c, d):
    other = int(d["other"])
    yield "all but one are in SMM", [c.notes["events", i][24] for i in cpus(d)] == [i != other for i in cpus(d)]
    yield "nobody sent that one an SMI", c.msr(other, 0x34) == 0 and all(c.msr(i, 0x34) == 1 for i in cpus(d) if i != other)
    gate = int.from_bytes(c.phys(int(d["gate"], 0), 4), "little")
    yield f"it is all that is missing: {gate}", gate == int(d["vcpus"]) - 1
    yield "it counts on", word(c, d, f"counter[{other}]", 8) > 0 and in_code(c, d, other)


def nested(c, cpu):
    """flags, format (0 VMX, 1 SVM), size of KVM's nested state"""
    return struct.unpack_from("<HHI", c.notes["nested", cpu])


def debugged(c, d):
    """The emulation of DR7.GD that the svm machine's CPU lacks: KVM_GUESTDBG_ENABLE on the hit core alone."""
    for i in cpus(d):
        note = c.notes.get(("guest_debug", i))
        wanted = i == int(d["cpu"]) and nested(c, i)[1] == 1
        yield f"core {i}: debugged by KVM or not", note == (struct.pack("<I", 1) + bytes(68) if wanted else None)


def smm_dr7gd_l1(c, d):
    yield from debugged(c, d)
    yield from smm_dr7gd(c, d)
    yield "no guest of the guest", not smm_field(c, d, 0xFED8) and not smm_field(c, d, 0xFEE0)


def is_vmx(c, cpu):
    """struct kvm_nested_state: format (u16 at 2) 0 is VMX."""
    return c.notes["nested", cpu][2] == 0


def vmcs12(c, cpu, at, size=8):
    """A field of KVM's own copy, behind the header of 128 bytes (arch/x86/kvm/vmx/vmcs12.h)."""
    return int.from_bytes(c.notes["nested", cpu][128 + at:128 + at + size], "little")


def smm_dr7gd_vmx(c, d):
    cpu = int(d["cpu"])
    vmxon, block, smm_flags = struct.unpack_from("<QQH", c.notes["nested", cpu], 8)
    yield from debugged(c, d)
    yield from smm_dr7gd(c, d)
    yield "L1's pages", (vmxon, block) == (int(d["nested"], 0) + 4096, int(d["nested"], 0))
    yield "the SMI hit L2", smm_flags == 3 and nested(c, cpu)[0] & 1 == 0
    yield "in L2's code", 0 <= smm_field(c, d, 0xFF78) - int(d["l2"], 0) < 0x1000
    yield "GD came from the VMCS", vmcs12(c, cpu, 528) == int(d["dr7"], 0)
    yield "which has its DR7 loaded, and exits by MOV DR", \
        vmcs12(c, cpu, 780, 4) & 1 << 2 and vmcs12(c, cpu, 748, 4) & 1 << 23
    rips = [s[0] for s in c.steps(cpu)]
    yield f"three passes of the loop, step by step: {[hex(r) for r in rips]}", rips.count(int(d["loop_first"], 0)) >= 3
    yield "L1 serves L2", word(c, d, "exits", 8) > 0


def smm_dr7gd_svm(c, d):
    cpu, l2 = int(d["cpu"]), int(d["l2"], 0)
    yield from debugged(c, d)
    yield from smm_dr7gd(c, d)
    yield "the save area names the VMCB", (smm_field(c, d, 0xFED8), smm_field(c, d, 0xFEE0)) == (1, int(d["nested"], 0))
    yield "the SMI hit L2's code", 0 <= smm_field(c, d, 0xFF78) - l2 < 0x1000
    yield "KVM left L2 for SMM", nested(c, cpu) == (0x100, 1, 128)
    yield "L1 served L2", word(c, d, "exits", 8) == 1


def in_l2(c, d, cpu):
    return nested(c, cpu)[0] & 1 and 0 <= regs(c, cpu)[0] - int(d["l2"], 0) < 0x1000


def smm_returned(c, d):
    cpu, gd = int(d["cpu"]), 1 << 13
    yield from debugged(c, d)
    yield "the core is out of SMM again, which L1's guest or L1 runs", c.notes["events", cpu][24] == 0 and \
        (in_l2(c, d, cpu) or in_code(c, d, cpu))
    yield "one SMI came", c.msr(cpu, 0x34) == 1
    yield "it saved a DR7 without GD", smm_field(c, d, 0xFF60) | 0x300 == 0x700
    vmx = nested(c, cpu)[1] == 0
    yield "it hit L2", smm_field(c, d, 0xFED8) == (0 if vmx else 1) and 0 <= smm_field(c, d, 0xFF78) - int(d["l2"], 0) < 0x1000
    yield "L1 serves L2 on and on", word(c, d, "exits", 8) > 2
    yield "L2 counts on", word(c, d, f"counter[{cpu}]", 8) > 0


def control(c, cpu):
    """cr2, cr3"""
    return struct.unpack_from("<QQ", c.notes.get(("sregs2", cpu)) or c.notes["sregs", cpu], 8 * 24 + 2 * 16 + 8)


def entry_is_there(c, d):
    yield "the damaged entry is in the tables", word(c, d, "entry", 8) & ~0x60 == int(d["entry_value"], 0) & ~0x60
    yield "the core uses these tables", control(c, int(d["cpu"]))[1] == 0x2000


def rsvd_bit(c, d):
    cpu = int(d["cpu"])
    error, rip = virt(c, d, rsp(c, cpu)), virt(c, d, rsp(c, cpu) + 8)
    yield from entry_is_there(c, d)
    yield f"a #PF for a reserved bit, of a store: 0x{error:x}", error | 1 == 1 | 2 | 8  # QEMU 7.2 leaves P out
    yield f"of that store: 0x{rip:x}", rip == int(d["insn"], 0)
    yield "CR2 names the address", control(c, cpu)[0] == int(d["linear"], 0)
    yield "interrupts are off", not regs(c, cpu)[1] & IF


def pdpe1gb(c, d):
    cpu = int(d["cpu"])
    yield from entry_is_there(c, d)
    yield "a page of 1 GiB", int(d["entry_value"], 0) & 0x80
    for i in cpus(d):
        leaf = [struct.unpack_from("<IIIIIII", c.notes["cpuid2", i], at) for at in range(0, len(c.notes["cpuid2", i]), 40)]
        yield f"core {i} has no such pages by CPUID", not [q for q in leaf if q[0] == 0x80000001 and q[6] & 1 << 26]
    went_on = in_code(c, d, cpu) and regs(c, cpu)[1] & IF
    refused = control(c, cpu)[0] == int(d["linear"], 0) and virt(c, d, rsp(c, cpu)) | 1 == 1 | 2 | 8
    yield "the core went on, or the walk met a reserved bit", went_on or refused


def stack_overflow(c, d):
    cpu = int(d["cpu"])
    frame = int(d["data"], 0) + 0x3800 - 48
    error, rip, _, _, old, _ = (int.from_bytes(c.phys(frame + 8 * i, 8), "little") for i in range(6))
    yield from entry_is_there(c, d)
    yield "the core is on its IST stack, where a double fault put a frame", rsp(c, cpu) - int(d["high"], 0) == frame and error == 0
    yield f"of the call: 0x{rip:x}", rip == int(d["insn"], 0)
    yield f"with a stack pointer at the guard page: 0x{old:x}", old == int(d["linear"], 0)
    yield "CR2 lies in the guard page", int(d["linear"], 0) - 4096 <= control(c, cpu)[0] < int(d["linear"], 0)
    yield "it had called itself a thousand times", word(c, d, f"counter[{cpu}]", 8) > 1000


def mptable(c, d):
    at = int(d["mptable"], 0)
    pointer = c.phys(0x9FC00, 16)
    yield "the pointer names the table", pointer[:4] == b"_MP_" and struct.unpack_from("<I", pointer, 4)[0] == at
    n, claimed = struct.unpack("<H", c.phys(at + 4, 2))[0], struct.unpack("<H", c.phys(at + 34, 2))[0]
    table = c.phys(at, n)
    yield "both add up", table[:4] == b"PCMP" and sum(table) & 255 == 0 and sum(pointer) & 255 == 0
    off, found = 44, 0
    while off < n and table[off] <= 4:
        off, found = off + (20 if table[off] == 0 else 8), found + 1
    yield "its entries fill it", off == n
    yield f"it claims {claimed} entries and has {found}", claimed == found + int(d["mptable_more"])
    yield "behind it lies the DSDT", c.phys(at + n, 4) == b"DSDT"
    yield "the note holds what was loaded", c.notes["tables", 0xFFFFFFFF] == struct.pack("<QQ", 0x9C000, 0x4000) + c.phys(0x9C000, 0x4000)


def checksum_l2(c, d):
    cpu, exits = int(d["cpu"]), word(c, d, "exits", 8)
    yield f"it was in L2's work or in L1, not yet at the end: {exits}", (in_l2(c, d, cpu) or in_code(c, d, cpu)) and 0 < exits < 3000


def checksum_smm(c, d):
    cpu = int(d["cpu"])
    if is_vmx(c, cpu):
        yield "SMM was entered from L2", struct.unpack_from("<H", c.notes["nested", cpu], 24)[0] == 3
        yield "and not left", c.notes["events", cpu][24] == 1
        return
    yield "SMM was entered from L2", (smm_field(c, d, 0xFED8), smm_field(c, d, 0xFEE0)) == (1, int(d["nested"], 0)) \
        and 0 <= smm_field(c, d, 0xFF78) - int(d["l2"], 0) < 0x1000
    yield "and not left", c.notes["events", cpu][24] == 1 and nested(c, cpu) == (0x100, 1, 128)


def ept(c, d):
    """The same under VMX: KVM has the state of L2 at hand, in its copy of the VMCS, or has put it there."""
    cpu = int(d["cpu"])
    gpa = int(d["linear"], 0) - int(d["high"], 0)
    yield "L1 enabled EPT with these tables, write-back, four levels", vmcs12(c, cpu, 748, 4) >> 31 and \
        vmcs12(c, cpu, 804, 4) & 2 and vmcs12(c, cpu, 120) == int(d["npt"], 0) | 0x1E
    yield "the damaged entry is in them", word(c, d, "entry", 8) == int(d["ept_value"], 0)
    yield f"the last exit is a misconfiguration: {vmcs12(c, cpu, 812, 4)}", vmcs12(c, cpu, 812, 4) == 49
    yield "at the address of the store", vmcs12(c, cpu, 168) & ~0xFFF == gpa & ~0xFFF
    yield f"L2 stands at it: 0x{vmcs12(c, cpu, 544):x}", vmcs12(c, cpu, 544) == int(d["l2_insn"], 0)
    yield "L1 tries again and again", word(c, d, "exits", 8) > 10


def npf(c, d):
    """L2 meets the damaged entry again and again; exit information of the last time."""
    cpu, block = int(d["cpu"]), int(d["nested"], 0)
    code, info, where = (int.from_bytes(c.phys(block + at, 8), "little") for at in (0x70, 0x78, 0x80))
    rip = int.from_bytes(c.phys(block + 0x578, 8), "little")
    gpa = int(d["linear"], 0) - int(d["high"], 0)
    yield "L1 enabled nested paging with these tables", int.from_bytes(c.phys(block + 0x90, 8), "little") & 1 and \
        c.phys(block + 0xB0, 8) == struct.pack("<Q", int(d["npt"], 0))
    yield "the damaged entry is in them", word(c, d, "entry", 8) | 0x60 == int(d["entry_value"], 0) | 0x60
    yield f"L2's access is a nested page fault: 0x{code:x}, 0x{where:x}", code == 0x400 and where & ~0xFFF == gpa & ~0xFFF
    present = int(d["entry_value"], 0) & 1
    yield f"of a reserved bit, or of an absent page: 0x{info:x}", info & 8 == 8 * present
    yield f"L2 stands at it: 0x{rip:x}", rip == int(d["l2_insn"], 0)
    yield "or L1 is at work", regs(c, cpu)[0] == rip or in_code(c, d, cpu)
    yield "L1 tries again and again", word(c, d, "exits", 8) > 10


def ept_misconfig(c, d):
    yield from (ept if is_vmx(c, int(d["cpu"])) else npf)(c, d)
    yield "the store never happened", c.phys(int(d["linear"], 0) - int(d["high"], 0), 8) == bytes(8)


def worlds(c, d, cpu):
    """(how, mode, rip, what the first frame says) of every world that the core's stack goes through."""
    rip, nested_note = regs(c, cpu)[0], c.notes.get(("nested", cpu))
    in_smm = c.notes["events", cpu][24]
    sregs = c.notes.get(("sregs2", cpu)) or c.notes["sregs", cpu]
    base, _, selector, _, _, _, _, _, is_64 = struct.unpack_from("<QIH6B", sregs)  # struct kvm_segment cs
    base, user = 0 if is_64 else base, selector & 3 == 3
    if in_smm:
        yield "registers", "smm", rip + base, "system-management mode"
        hit = smm_field(c, d, 0xFED8) & 1 if not is_vmx(c, cpu) else struct.unpack_from("<H", nested_note, 24)[0] & 1
        yield "save area", "guest" if hit else "kernel", smm_field(c, d, 0xFF78), "interrupted by the SMI"
    else:
        hit = nested_note and nested(c, cpu)[0] & 1
        yield "registers", "guest" if hit else "user" if user else "kernel", rip + base, ""
    if hit and is_vmx(c, cpu):
        yield "hypervisor", "kernel", vmcs12(c, cpu, 672), "VMCS12 "
    elif hit and in_smm:
        yield "hypervisor", "kernel", int.from_bytes(c.phys(c.msr(cpu, 0xC0010117) + 0x578, 8), "little"), "VMCB12 "
    elif hit:
        yield "hypervisor", "kernel", vmcs12(c, cpu, 0x578), "VMCB12 "


CHECKS = {"ept-misconfig": ept_misconfig, "nmi-iret-npf": npf,
          "smm-dr7gd-svm": smm_dr7gd_svm, "smm-dr7gd-noload": smm_returned, "smm-dr7gd-fixed": smm_returned,
          "rsvd-bit": rsvd_bit, "pdpe1gb": pdpe1gb, "stack-overflow": stack_overflow,
          "lapic-x2apic-mix": lapic_x2apic_mix, "ioapic-remote-irr": ioapic_remote_irr, "smi-storm": smi_storm, "smi-often": smi_often,
          "mptable-count": mptable, "mptable-fine": mptable,
          "smm-dr7gd": smm_dr7gd_vmx, "checksum-l2": checksum_l2, "checksum-smm": checksum_smm,
          "smm-rendezvous": smm_rendezvous, "smm-dr7gd-l1": smm_dr7gd_l1,
          "nmi-masked": nmi_masked, "nmi-pending-irq": nmi_pending_irq, "nmi-intgate": nmi_intgate,
          "nmi-nested": nmi_nested, "nmi-iret-gp": nmi_iret_gp,
          "nmi-task-switch": nmi_task_switch, "nmi-task-served": nmi_task_served, "singlestep-leak": singlestep_leak,
          "lapic-masked": lapic_masked, "lapic-stopped": lapic_stopped, "deadlock": deadlock, "ipi-lost": ipi_lost,
          "triple-fault": triple_fault, "healthy-busy": healthy_busy}

# kvm-amd leaves a core that took a triple fault at the reset vector, where this machine has no ROM to show.
WITH_GAPS = ("triple-fault",)


def wrong(scenario, c, drawn):
    """What of a scenario's claims does not hold, in words."""
    check = CHECKS.get(scenario)
    return [f"not so: {what}" for what, good in check(c, drawn) if not good] if check else []

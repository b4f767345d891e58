"""Why two sayings of one dump differ: each reason, and how to know a difference that it explains."""
import dataclasses, re

PER_CPU_END = 1 << 24  # offsets of per-CPU symbols; addresses lie far above
START_KERNEL_MAP = 0xFFFFFFFF80000000
MODULES_VADDR = 0xFFFFFFFFC0000000  # Documentation/arch/x86/x86_64/mm.rst


@dataclasses.dataclass(frozen=True)
class Reason:
    what: str        # symbols, structs, tasks, log, modules, stacks
    with_whom: str   # regex
    key: str         # regex
    applies: object  # (difference) -> whether; called when the others match
    words: str       # for docs/agreement.md
    witness: bool = False  # only where drgn, asked of the same dump, says what inquest says


def numbers(text):
    return [int(n, 16) for n in text.split()] if re.fullmatch(r"[0-9a-f ]*", text) else []


def per_cpu(d):
    ours = numbers(d.ours)
    return bool(ours) and max(ours) < PER_CPU_END


def of_modules(d):
    ours = numbers(d.ours)
    return bool(ours) and min(ours) >= MODULES_VADDR


def nothing_of_ours(d):
    return not d.ours and bool(d.theirs)


def nothing_of_theirs(d):
    return bool(d.ours) and not d.theirs


def frames_left_out(d):
    """What they have is ours, in the same order, but for the innermost frame."""
    ours, theirs = numbers(d.ours)[1:], numbers(d.theirs)
    if theirs[:1] and theirs[0] not in ours:
        theirs = theirs[1:]  # an older address of the innermost function
    left = iter(ours)
    return bool(theirs) and all(pc in left for pc in theirs)


def later(d):
    return d.theirs == "None"


def garbage_frames(d):
    """Ours, and behind them what is no address of code."""
    ours, theirs = numbers(d.ours), numbers(d.theirs)
    more = theirs[len(ours):]
    return theirs[:len(ours)] == ours and more != [] and max(more) < START_KERNEL_MAP


def always(_):
    return True


REASONS = (
    Reason("symbols", "drgn|crash", "", per_cpu,
           "A per-CPU symbol. The kernel lists its offset in the per-CPU area, as inquest does; the other adds the offset of KASLR to"
           " it or leaves it out, where another symbol has the same name."),
    Reason("symbols", "drgn", "", of_modules,
           "A symbol of a module whose name the kernel's image has, too: of modules' files without DWARF drgn lists no symbols."),
    Reason("tasks", "guest", r"^\d+ (sleep|init|exe|\[kworker/\S+\])$", always,
           "Started or ended between the moment at which the guest told of its tasks and the moment at which it was stopped: a"
           " kernel worker, or what its init's shell starts (`init` and `exe`, before they become another program; `sleep`)."
           " drgn says of it what inquest says.", witness=True),
    Reason("tasks", "guest", r"^\d+ (\[.*\]|init) (cpu|state|flags)$", always,
           "A thread of the kernel, or init, that ran between these two moments. drgn says of it what inquest says.", witness=True),
    Reason("stacks", "guest", r"^\d+ (\[.*\]|init)$", always,
           "A thread of the kernel, or init, that ran between these two moments: it is elsewhere now. drgn says of it what inquest says.",
           witness=True),
    Reason("stacks", "crash", "", nothing_of_ours,
           "A task that runs in user mode on its CPU has no stack in the kernel. crash walks what an earlier entry left there."),
    Reason("stacks", "crash", r"^\d+ (spin-kernel|init)$", nothing_of_theirs,
           "A task that runs in the kernel on its CPU, or one that has not run yet. inquest begins with the CPU's registers, or with"
           " the function that it starts in, as drgn does; crash gives it no stack."),
    Reason("stacks", "crash", r"^\d+ (spin-|init|exe)", frames_left_out,
           "A task that runs on its CPU, or that an interrupt stopped there. inquest and drgn agree to the last frame; crash leaves out"
           " the innermost one or has an older address in it, and leaves out functions without a frame of their own."),
    Reason("log", "guest", "^record", later,
           "Written after the guest told of its log: a panic."),
    Reason("stacks", "drgn", "", garbage_frames,
           "A new task that has not run yet, where nothing called the function that it starts in, or a dead one. drgn takes a word"
           " that is no address of code, or two, for more of it."),
)


def place_of(difference):
    """Whatever the other calls a task: its number, and the field."""
    number, _, rest = difference.key.partition(" ")
    return difference.what, number, rest.rpartition(" ")[2] if difference.what == "tasks" else ""


def reason(difference, contested=frozenset()):
    """contested: places of what drgn and inquest do not agree about."""
    for r in REASONS:
        if r.what == difference.what and re.search(r.with_whom, difference.with_whom) and re.search(r.key, difference.key) and \
                r.applies(difference) and not (r.witness and place_of(difference) in contested):
            return r
    return None

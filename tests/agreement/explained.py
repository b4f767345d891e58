"""Why two sayings of one dump differ: each reason, and how to know a difference that it explains."""
import dataclasses, re

PER_CPU_END = 1 << 24  # offsets of per-CPU symbols; addresses lie far above


@dataclasses.dataclass(frozen=True)
class Reason:
    what: str        # symbols, structs, tasks, log, modules, stacks
    with_whom: str   # regex
    key: str         # regex
    applies: object  # (difference) -> whether; called when the others match
    words: str       # for docs/agreement.md


def numbers(text):
    return [int(n, 16) for n in text.split()] if re.fullmatch(r"[0-9a-f ]*", text) else []


def per_cpu(d):
    ours = numbers(d.ours)
    return bool(ours) and min(ours) < PER_CPU_END


def running_in_user_mode(d):
    return not d.ours and bool(d.theirs)


def always(_):
    return True


REASONS = (
    Reason("symbols", "drgn|crash", "", per_cpu,
           "A per-CPU symbol. The kernel lists its offset in the per-CPU area, as inquest does; the other adds the offset of KASLR to"
           " it, which leads nowhere."),
    Reason("tasks", "guest", r"^\d+ (sleep|kworker/\S+)$", always,
           "Started or ended between the moment at which the guest told of its tasks and the moment at which it was stopped: a"
           " kernel worker, or the `sleep` with which its init waits."),
    Reason("stacks", "crash", "", running_in_user_mode,
           "A task that runs in user mode on its CPU has no stack in the kernel. crash walks what the last interrupt left there."),
)


def reason(difference):
    for r in REASONS:
        if r.what == difference.what and re.search(r.with_whom, difference.with_whom) and re.search(r.key, difference.key) and \
                r.applies(difference):
            return r
    return None

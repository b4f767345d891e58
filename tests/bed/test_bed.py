#!/usr/bin/python3
"""The svm testbed itself: one boot whose jobs succeed, fail, hang, and leave files; and one that is cut off."""
import hashlib, os, pathlib, sys, tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bed, machines  # noqa: E402

MIB = 1 << 20
# Both CPUs stop for good: panic without a reboot.
STOP = "echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger"
JOBS = [
    bed.Job("kvm", ["test", "-c", "/dev/kvm"]),
    bed.Job("three", ["sh", "-c", "echo out; echo err >&2; exit 3"]),
    bed.Job("slow", ["sleep", "100"], 1),
    bed.Job("files", ["sh", "-c", "mkdir d; dd if=/dev/urandom of=d/core bs=1M count=1; "
                      "dd if=/dev/urandom of=d/core bs=1M seek=40 count=1; sha256sum <d/core >sum"]),
    bed.Job("quotes", ["echo", "a'b \"c\" $d"]),
]


def check_results(results, why):
    by = {r.job.id: r for r in results}
    yield "the machine ended well", why is None
    yield "there is a KVM", by["kvm"].code == 0
    yield "an exit code comes back", by["three"].code == 3
    yield "stdout and stderr come back", (by["three"].text("stdout"), by["three"].text("stderr")) == ("out\n", "err\n")
    yield "a job that hangs is killed and said", by["slow"].why == "killed after 1 s"
    yield "arguments arrive as they were given", by["quotes"].text("stdout") == "a'b \"c\" $d\n"
    core = by["files"].files / "d/core"
    wanted = by["files"].text("files/sum").split()[:1]
    yield "files come back as they were", core.exists() and [hashlib.sha256(core.read_bytes()).hexdigest()] == wanted
    yield "holes stay holes", core.exists() and os.stat(core).st_blocks * 512 < 4 * MIB < 41 * MIB == core.stat().st_size


def check_cut(results, why):
    by = {r.job.id: r for r in results}
    yield "the watchdog speaks", why == "watchdog: the machine took too long in job hangs and was ended"
    yield "what ended before is kept", by["first"].code == 0 and by["first"].text("stdout") == "here\n"
    yield "what did not end is not called a result", by["hangs"].code is None and by["hangs"].why == why


def check_hung(results, why):
    by = {r.job.id: r for r in results}
    yield "the next boot runs what is left", by["first"].code == by["last"].code == 0
    yield "a machine that hangs each time is said", by["stop"].code is None and "hung in job stop" in (why or "")


def main():
    bad = []
    with tempfile.TemporaryDirectory() as tmp:
        bad += [what for what, good in check_results(*bed.run("svm", JOBS, [], tmp)) if not good]
    with tempfile.TemporaryDirectory() as tmp:
        jobs = [bed.Job("first", ["echo", "here"]), bed.Job("hangs", ["sleep", "1000"], 1000)]
        bad += [what for what, good in check_cut(*bed.run("svm", jobs, [], tmp, limit=15, la57=False)) if not good]
    with tempfile.TemporaryDirectory() as tmp:
        machines.Svm.patience = (90, 3, 1)
        jobs = [bed.Job("first", ["true"]), bed.Job("stop", ["sh", "-c", STOP], 2), bed.Job("last", ["true"])]
        bad += [what for what, good in check_hung(*bed.run("svm", jobs, [], tmp)) if not good]
    for what in bad:
        print(f"not so: {what}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

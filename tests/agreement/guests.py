"""The guests that dumps are compared on: Debian's kernels of three series, full of tasks, each with what it told of itself.

usage: guests.py FOLDER PEOPLE WITNESS [NAME ...]

Makes FOLDER/NAME.elf and FOLDER/NAME.truth/ of each, or of those named, that is not there yet."""
import os, pathlib, shutil, sys, tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / name) for name in ("dumps", "bed")]
import forms, guest  # noqa: E402
from guest import Guest  # noqa: E402

PLAIN, CLOUD = "linux-image-amd64", "linux-image-cloud-amd64"
GUESTS = (
    Guest("61-plain", package=PLAIN, work="people truth"),
    Guest("61-cloud", package=CLOUD, work="people-kernel truth"),
    Guest("61-silent", package=PLAIN, work="people-kernel truth", vmcoreinfo=False),
    Guest("61-panic", package=PLAIN, work="people truth crash", ends="end Kernel panic", finds=("cpu-hlt-if0",)),
    Guest("61-4g", mib=4096, package=PLAIN, work="crowd truth"),
    Guest("612-plain", mib=384, package=PLAIN, suite="trixie", work="people truth"),
    Guest("612-cloud", mib=384, la57=True, package=CLOUD, suite="trixie", work="people-kernel truth"),
    Guest("612-panic", mib=384, package=PLAIN, suite="trixie", work="people-kernel truth crash", ends="end Kernel panic",
          finds=("cpu-hlt-if0",)),
    Guest("510-plain", package=PLAIN, suite="bullseye", work="people truth"),
    Guest("510-cloud", package=CLOUD, suite="bullseye", work="people-kernel truth", vmcoreinfo=False),
)
IN_TESTS = ("61-cloud", "612-plain", "612-cloud", "510-plain")  # few enough for every run of the tests


def named(names):
    known = {g.name: g for g in GUESTS}
    unknown = [n for n in names if n not in known]
    if unknown:
        raise guest.BedError(f"{unknown[0]}: no such guest; there are {' '.join(known)}")
    return [known[n] for n in names] or list(GUESTS)


def boot(one, folder, programs):
    """One guest, up and stopped, as guest.Running has it; folder/elf and folder/truth/ are written when it is entered."""
    running = guest.Running(one, folder, programs)
    running.__enter__()
    try:
        forms.BASE.make(running, None, folder / "elf")
        running.take_told(folder)
    except BaseException:
        running.__exit__()
        raise
    return running


def write_registers(path, cpus):
    path.write_text("".join(f"{i} {name} {value:#x}\n" for i, regs in enumerate(cpus) for name, value in regs.items()))


def keep(one, to, programs):
    """Its dump and what it told, under its name in a folder; made once."""
    elf, told = to / f"{one.name}.elf", to / f"{one.name}.truth"
    if elf.exists() and told.exists():
        return elf, told
    with tempfile.TemporaryDirectory(prefix="guest-", dir=to) as tmp:
        folder = pathlib.Path(tmp)
        running = boot(one, folder, programs)
        try:
            write_registers(folder / "truth/registers", running.registers())
        finally:
            running.__exit__()
        shutil.rmtree(told, ignore_errors=True)
        (folder / "truth").rename(told)
        os.chmod(folder / "elf", 0o600)  # QEMU writes it for nobody else to read, 0400 or so
        (folder / "elf").rename(elf)
    return elf, told


def main():
    to, people, witness, *names = sys.argv[1:]
    pathlib.Path(to).mkdir(parents=True, exist_ok=True)
    try:
        for one in named(names):
            print(keep(one, pathlib.Path(to), [people, witness])[0], flush=True)
    except (guest.BedError, OSError) as e:
        print(f"guests: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

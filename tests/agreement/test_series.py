#!/usr/bin/python3
"""Kernels of three series, each booted with KASLR, and what inquest says of its dump beside what the guest said of itself.

usage: test_series.py INQUEST PEOPLE WITNESS [NAME ...]"""
import pathlib, sys, tempfile, time

sys.dont_write_bytecode = True
import guests  # noqa: E402 (first: it knows where the others are)
import forms, test_dumps  # noqa: E402
from guest import BedError  # noqa: E402


def try_guest(reader, one, programs, folder):
    began = time.monotonic()
    running = guests.boot(one, folder, programs)
    try:
        print(f"{one.name}: up and dumped after {time.monotonic() - began:.1f} s", flush=True)
        truth = running.truth()
    finally:
        running.__exit__()
    return test_dumps.complain(one.name, "its dump", test_dumps.check_form(reader, folder / "elf", truth, forms.BASE))


def main():
    inquest, people, witness, *names = sys.argv[1:]
    bad = 0
    try:
        wanted = guests.named(names or guests.IN_TESTS)
    except BedError as e:
        print(f"test_series: {e}", file=sys.stderr)
        return 2
    for one in wanted:
        with tempfile.TemporaryDirectory(prefix="series-") as folder:
            try:
                bad += try_guest(test_dumps.Reader(inquest), one, [people, witness], pathlib.Path(folder))
            except (BedError, OSError) as e:
                print(f"{one.name}: {e}", flush=True)
                bad += 1
    print("all true" if not bad else f"{bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

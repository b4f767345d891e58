#!/usr/bin/python3
"""Kernels of three series, each booted with KASLR, and what inquest says of its dump beside what the guest said of itself.

usage: test_series.py INQUEST PEOPLE WITNESS [NAME ...]"""
import pathlib, re, sys, time

sys.dont_write_bytecode = True
import guests  # noqa: E402 (first: it knows where the others are)
import compare, explained, forms, model, ours, test_dumps  # noqa: E402
from guest import BedError  # noqa: E402


ASKED = ("symbols", "tasks", "log", "modules", "stacks")  # structures a guest does not tell of; those `./dev agree` compares


def check_told(inquest, folder):
    """(what, whether) of each difference from what the guest told of itself."""
    said = ours.ask(inquest, folder / "elf", ASKED)
    yield f"unanswered: {said.trouble}", not said.trouble
    for compared in compare.compare(said, model.told(folder / "truth")):
        yield f"no {compared.what} to compare", compared.count > 0
        for d in compared.differences:
            yield f"{d.what}: {d.key}: {d.ours}, not {d.theirs}", explained.reason(d) is not None


WHAT_SQL = """SELECT t.comm AS comm FROM task t LEFT JOIN what(t.task) w ON w.kind = 'task'
GROUP BY t.task HAVING count(*) <> 1 OR w.addr IS NOT t.task"""


def check_what(reader, folder):
    """The address of a task is that one's and no other's, though structures of tasks lie side by side."""
    wrong = reader.rows(folder / "elf", WHAT_SQL)
    yield f"what says otherwise of the tasks {[row['comm'] for row in wrong]}", not wrong


RANGE = r" +\[mem 0x(\w+)-0x(\w+)\]"
ZONE, RAM = re.compile(r"\]   (\w+)" + RANGE), re.compile(r"\]   node +0:" + RANGE)


def pages_of(first, last):
    return f"pfn BETWEEN {int(first, 16) >> 12} AND {int(last, 16) >> 12}"


def check_zones(reader, folder):
    """Pages of memory lie in the zones whose ranges the kernel told as it came up; what lies in holes is in either zone."""
    told = (folder / "truth/dmesg").read_text()
    memory = " OR ".join(pages_of(*found) for found in RAM.findall(told))
    yield "the guest told of no zones", bool(memory) and ZONE.search(told) is not None
    for zone, first, last in ZONE.findall(told):
        row, = reader.rows(folder / "elf", f"SELECT count(*) AS nr, sum(zone IS NOT '{zone}' OR node IS NOT 0) AS wrong FROM page"
                           f" WHERE {pages_of(first, last)} AND ({memory})")
        yield f"{row['wrong']} of {row['nr']} pages are not in {zone}", row["nr"] > 0 and row["wrong"] == 0


def try_guest(reader, one, programs, folder):
    began = time.monotonic()
    running = guests.boot(one, folder, programs)
    try:
        print(f"{one.name}: up and dumped after {time.monotonic() - began:.1f} s", flush=True)
        truth = running.truth()
    finally:
        running.__exit__()
    return test_dumps.complain(one.name, "its dump", test_dumps.check_form(reader, folder / "elf", truth, forms.BASE)) + \
        test_dumps.complain(one.name, "what it told", check_told(reader.inquest, folder)) + \
        test_dumps.complain(one.name, "what", check_what(reader, folder)) + \
        test_dumps.complain(one.name, "its zones", check_zones(reader, folder))


def main():
    inquest, people, witness, *names = sys.argv[1:]
    try:
        wanted = guests.named(names or guests.IN_TESTS)
    except BedError as e:
        print(f"test_series: {e}", file=sys.stderr)
        return 2
    return test_dumps.run_all(wanted, "series-",
                              lambda one, folder: try_guest(test_dumps.Reader(inquest), one, [people, witness], folder))


if __name__ == "__main__":
    sys.exit(main())

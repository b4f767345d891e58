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


# A guest is stopped anywhere: between the steps of what it changes, which two CPUs do to a batch of 15 pages each at most
# (an entry of the page tables goes before the count of it, mm/memory.c:zap_pte_range), and to a slab's list.
IN_FLIGHT = 2 * 15
STATE_SQL = """SELECT sum(w.text LIKE '%, in use') AS used, sum(w.text LIKE '%, free: %') AS free,
sum(w.text LIKE '%is unknown: %') AS unknown FROM task t LEFT JOIN what(t.task) w ON w.kind = 'slab' WHERE t.pid"""
MAPPED_SQL = """SELECT pfn, mapcount, names, count(DISTINCT addr) AS n FROM (SELECT p.pfn, p.mapcount, p.names, w.addr FROM
(SELECT pfn, mapcount, names FROM page WHERE type IN ('anon', 'file') AND mapcount BETWEEN 0 AND 12 AND names NOT LIKE '%head%' LIMIT 1500) p
LEFT JOIN what({base} + 4096 * p.pfn) w ON w.kind = 'mapped') GROUP BY pfn HAVING n <> mapcount"""
TABLE_SQL = """SELECT p.pfn FROM (SELECT pfn FROM page WHERE type = 'table' LIMIT 400) p
LEFT JOIN what({base} + 4096 * p.pfn) w ON w.kind = 'table' WHERE w.text IS NULL"""


def direct_map(reader, path):
    """What is added to a physical address, as SQL counts: from where the structure of a task lies."""
    row = reader.rows(path, "SELECT t.task, w.text FROM task t JOIN what(t.task) w ON w.kind = 'page' WHERE t.pid = 1")[0]
    virtual = row["task"] if isinstance(row["task"], int) else int(row["task"], 16)
    base = (virtual & ~0xFFF) - int(re.search(r"physical (0x[0-9a-f]+)", row["text"])[1], 16)
    return base - (1 << 64) if base >> 63 == 1 else base


def check_pages(reader, path):
    """A live task's structure is in use; a page is mapped as often as the kernel counts; a table is somebody's."""
    tasks, = reader.rows(path, STATE_SQL)
    yield f"slabs of tasks: {tasks}", not tasks["free"] and tasks["used"] > 3 * tasks["unknown"]
    base = direct_map(reader, path)
    wrong = reader.rows(path, MAPPED_SQL.format(base=base))
    yield f"{len(wrong)} pages are mapped otherwise: {wrong}", len(wrong) <= IN_FLIGHT
    wrong = reader.rows(path, TABLE_SQL.format(base=base))
    yield f"page tables of nobody, of 400: {wrong}", len(wrong) < 100  # EFI's, user mode's, those of a process that ends


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
        test_dumps.complain(one.name, "its zones", check_zones(reader, folder)) + \
        test_dumps.complain(one.name, "pages", check_pages(reader, folder / "elf"))


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

"""What inquest says of a dump, without any other file, through its tables."""
import json, subprocess

import model
from packages import BedError

TASKS = "SELECT pid, tgid, ppid, comm, state, cpu, on_cpu, flags, hex64(task) AS at FROM task WHERE pid > 0"
LOG = "SELECT seq, t_ns, group_concat(text, char(10)) AS text FROM (SELECT * FROM log ORDER BY seq, line) GROUP BY seq ORDER BY seq"
MODULES = "SELECT name, hex64(base) AS base, bytes FROM module"
SYMBOLS = "SELECT name, hex64(addr) AS addr FROM symbol"
FRAMES = "SELECT pid, hex64(pc) AS pc FROM frame JOIN task USING (machine_id, task) WHERE mode = 'kernel' ORDER BY task, nr"
MEMBERS = f"""WITH wanted(name) AS (SELECT DISTINCT type FROM type_member WHERE type IN ({", ".join(f"'{name}'" for name in model.STRUCTS)}))
SELECT name, kind, member, 8 * offset + coalesce(bit, 0) AS at, coalesce(bits, 8 * size) AS bits
FROM wanted JOIN type_member ON type_member.of_type = wanted.name"""


class Asked:
    def __init__(self, inquest, dump):
        self.inquest, self.dump = inquest, dump

    def run(self, *argv):
        done = subprocess.run([self.inquest, *map(str, argv)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace")
        if done.returncode not in (0, 1):
            raise BedError(f"inquest {argv[0]}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def rows(self, sql):
        return json.loads(self.run("sql", "--json", self.dump, sql))["rows"]


def number(text):
    return None if text is None else int(text, 16)


def tasks(rows):
    return {r["pid"]: {**r, "at": number(r["at"])} for r in rows}


def stacks(rows):
    found = {}
    for r in rows:
        found.setdefault(r["pid"], []).append(number(r["pc"]))
    return {tid: model.in_kernel([pc for pc in pcs if pc is not None]) for tid, pcs in found.items() if tid}


def structs(rows):
    """A structure ends where its last member or the padding behind it does."""
    found = {}
    for r in rows:
        size, members = found.get(r["name"], (0, set()))
        size = max(size, (r["at"] + r["bits"]) // 8)
        if r["kind"] == "member" and r["member"]:
            members.add((r["member"], r["at"], r["bits"]))
        found[r["name"]] = size, members
    return found


ASK = (
    ("tasks", TASKS, tasks),
    ("log", LOG, lambda rows: [(r["t_ns"] / 1e9, r["text"]) for r in rows]),
    ("modules", MODULES, lambda rows: {r["name"]: (number(r["base"]), r["bytes"]) for r in rows}),
    ("symbols", SYMBOLS, lambda rows: {(r["name"], number(r["addr"])) for r in rows}),
    ("stacks", FRAMES, stacks),
    ("structs", MEMBERS, structs),
)


def ask(inquest, dump, want=None):
    """want: names of what is asked; else everything."""
    asked, said = Asked(inquest, dump), model.Said("inquest")
    for what, sql, read in ASK:
        if want and what not in want:
            continue
        try:
            setattr(said, what, read(asked.rows(sql)))
        except BedError as e:
            said.trouble.append(f"{what}: {e}")
    if said.tasks and said.stacks is not None:  # tasks without any frame in the kernel
        said.stacks = {tid: said.stacks.get(tid, []) for tid in said.tasks}
    return said

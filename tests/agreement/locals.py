#!/usr/bin/env python3
"""Arguments and variables of every task's frames, beside what drgn tells with the same debug kernel.

usage: locals.py INQUEST DUMP VMLINUX [--mirror URL]

drgn runs in the chroot of `./dev peers`.  A value that both tell must be equal, and inquest must tell none that drgn does
not; what only drgn tells is counted (values in pieces, converted ones).  Exit code 0: no value differs."""
import argparse, collections, json, pathlib, re, subprocess, sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / name) for name in ("peers", "bed")]
import chroot  # noqa: E402
from packages import BedError  # noqa: E402

FRAMES = """SELECT pid, hex64(pc) AS pc, function, coalesce(args || ', ', '') || coalesce(locals, '') AS text
FROM task t, bt(t.task, 'locals') b WHERE b.mode = 'kernel'"""


def ours(inquest, dump, vmlinux):
    """{(pid, pc, function): {name: text}}"""
    out = subprocess.run([inquest, "sql", "--json", "--vmlinux", vmlinux, dump, FRAMES], capture_output=True, text=True, check=True)
    found = collections.defaultdict(dict)
    for r in json.loads(out.stdout)["rows"]:
        function = re.split(r"[+.]", r["function"] or "?")[0]
        found[r["pid"], int(r["pc"], 16), function] |= dict(re.findall(r"(\w+)=(<[^>]*>|\{at [^}]*\}|[^,]+)", r["text"]))
    return found


def number(text):
    if text.startswith("{at "):
        return [int(text[4:-1], 16)]
    return {"true": 1, "false": 0}[text] if text in ("true", "false") else int(text, 0)


def verdict(mine, told):
    if mine.startswith("<"):
        return "known to nobody" if told is None else "known to drgn alone"
    if told is None:
        return "known to inquest alone"
    same = number(mine) == told if isinstance(told, list) else not isinstance(number(mine), list) and (number(mine) - told) % (1 << 64) == 0
    return "equal" if same else "different"


def compare(mine, theirs):
    counts, shown = collections.Counter(), []
    for pid, pc, function, variables in theirs:
        for name, told in variables.items():
            text = mine.get((pid, pc, function.split(".")[0]), {}).get(name)
            if text is None:
                continue  # drgn climbs otherwise where the stack holds an exception's frame: ./dev agree compares stacks
            counts[v := verdict(text, told)] += 1
            if v in ("different", "known to inquest alone"):
                shown.append(f"  pid {pid} {function}: {name}={text}, drgn: {told}")
    print("\n".join(shown[:16] + [f"{n} {v}" for v, n in counts.most_common()]))
    return bool(shown) or not counts["equal"]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("inquest")
    ap.add_argument("dump", type=pathlib.Path)
    ap.add_argument("vmlinux", type=pathlib.Path)
    ap.add_argument("--mirror", help="of Debian; else apt's own")
    args = ap.parse_args()
    try:
        place = chroot.Chroot(args.mirror)
        for path, name in ((args.dump, "locals-dump"), (args.vmlinux, "locals-vmlinux"), (HERE / "ask_drgn_locals.py", None)):
            place.put(path, name)
        told = place.run(["python3", "ask_drgn_locals.py", "locals-dump", "locals-vmlinux"])
        if told.returncode:
            raise BedError(f"drgn: {(told.stderr.strip().splitlines() or ['no reason'])[-1]}")
    except BedError as e:
        print(f"locals: {e}", file=sys.stderr)
        return 2
    return compare(ours(args.inquest, args.dump, args.vmlinux), json.loads(told.stdout))


if __name__ == "__main__":
    sys.exit(main())

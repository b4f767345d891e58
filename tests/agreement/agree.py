#!/usr/bin/python3
"""What inquest says of dumps beside what the guests said of themselves, drgn and crash: does it agree, and if not, why?

usage: agree.py INQUEST PEOPLE WITNESS [--folder FOLDER] [--mirror URL] [--doc] [--guest-only] [NAME ...]

Guests of guests.py are booted and dumped into FOLDER (cache: agreement), or those that are there are used again, as are
the answers of drgn and crash, which run in the chroot of `./dev peers` with debug kernels.  inquest gets the dump and
nothing else.  Every difference is listed; those that explained.py knows the reason of are counted under it.  Exit code
0: there is no other.  --doc writes the table and the reasons into docs/agreement.md.  Wants root, 20 GiB of disk, an hour."""
import argparse, collections, pathlib, re, subprocess, sys, textwrap

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "peers"))
import guests  # noqa: E402 (first: it knows where the others are)
import chroot, compare, explained, model, ours, theirs  # noqa: E402
from guest import kernel  # noqa: E402
from packages import BedError, cache_dir  # noqa: E402

SHOWN = 8  # differences of one kind that are printed
BEGIN, END = "<!-- generated: ./dev agree --doc -->", "<!-- end -->"


def ask_both(place, one, elf, told, folder):
    """Texts of what drgn and crash answer; kept, for neither changes its mind."""
    paths = [folder / f"{one.name}.{who}" for who in ("drgn", "crash")]
    if not all(p.exists() for p in paths):
        k = kernel.Kernel(one.package, one.suite)
        place.put(k.debug(), "vmlinux")
        place.put(elf, "dump")
        place.put(HERE / "ask_drgn.py", "ask_drgn_all.py")
        modules = [name + ".ko" for name in told.modules]
        for name in told.modules:
            place.put(k.module(name), name + ".ko")
        paths[0].write_text(theirs.ask_drgn(place, "dump", vmcoreinfo(place, one, elf), ["vmlinux", *modules]))
        paths[1].write_text(theirs.ask_crash(place, "dump", "vmlinux"))
    return [p.read_text() for p in paths]


def vmcoreinfo(place, one, elf):
    """drgn opens nothing without; where the dump has no note, its text is taken out of memory: the page that begins with it."""
    if one.vmcoreinfo:
        return None
    with open(elf, "rb") as f:
        for page in iter(lambda: f.read(1 << 22), b""):
            at = page.find(b"OSRELEASE=")
            if at >= 0 and re.match(rb"OSRELEASE=[\w.+~-]+\n", page[at:at + 100]):
                (place.work / "vmcoreinfo").write_bytes(page[at:at + 4096].split(b"\0")[0])
                return "vmcoreinfo"
    return None


def show(one, compared, unexplained):
    for d in unexplained[:SHOWN]:
        print(f"  {one.name} {d.what}, {d.with_whom}: {d.key}: {d.ours[:160]} | {d.theirs[:160]}")
    if len(unexplained) > SHOWN:
        print(f"  ... and {len(unexplained) - SHOWN} more")
    why = f", {len(compared.differences)} differ" if compared.differences else ""
    print(f"{one.name:11} {compared.what:8} {compared.with_whom:6} {compared.count:7} compared{why}", flush=True)


def judge(one, said, others, tally):
    """Count each difference under its reason; returns how many have none."""
    bad = 0
    every = [compared for them in others for compared in compare.compare(said, them)]
    contested = {explained.place_of(d) for c in every if c.with_whom == "drgn" for d in c.differences}
    for compared in every:
        reasons = [(d, explained.reason(d, contested)) for d in compared.differences]
        unexplained = [d for d, r in reasons if r is None]
        tally.append((one.name, compared, reasons))
        show(one, compared, unexplained)
        bad += len(unexplained)
    return bad


def table(tally):
    """Of each dump a row, of each thing and other a cell: how many were compared, and how many differ for which reason."""
    numbers = {r: i + 1 for i, r in enumerate(explained.REASONS)}
    columns = sorted({(c.what, c.with_whom) for _, c, _ in tally})
    cells = {}
    for name, c, reasons in tally:
        counts = collections.Counter(r for _, r in reasons)
        why = " ".join(f"{n}×[{numbers[r]}]" if r else f"**{n}**" for r, n in counts.items())
        cells[name, (c.what, c.with_whom)] = f"{c.count}" + (f" ({why})" if why else "")
    yield "| what | with | " + " | ".join(dict.fromkeys(n for n, *_ in tally)) + " |"
    yield "|---|---|" + "---|" * len({n for n, *_ in tally})
    for column in columns:
        yield f"| {column[0]} | {column[1]} | " + " | ".join(cells.get((n, column), "-") for n in dict.fromkeys(n for n, *_ in tally)) + " |"


def short(d):
    """Stacks by how long they are: their addresses are of one boot."""
    if d.what != "stacks":
        return f"{d.ours[:60]} | {d.theirs[:60]}"
    return " | ".join(f"{len(text.split())} frames" if text else "none" for text in (d.ours, d.theirs))


def one_by_one(tally, number, reason):
    """Every difference of one reason: symbols by name, since all dumps of a kernel share them; others in a line each."""
    names = collections.defaultdict(list)
    for dump, c, reasons in tally:
        for d in [d for d, r in reasons if r == reason]:
            if d.what == "symbols":
                names[c.with_whom, d.key].append(dump)
            elif d.what == "log":
                names[c.with_whom, f"record {d.ours[1:60]}"].append(dump)
            else:
                yield f"* [{number}] {dump}, {d.what}, {c.with_whom}: `{d.key}`: {short(d)}"
    alike = collections.defaultdict(list)
    for (who, name), dumps in sorted(names.items()):
        alike[who, " ".join(dumps)].append(f"`{name}`")
    for (who, dumps), these in alike.items():
        yield f"* [{number}] {reason.what}, {who}, {dumps}: {', '.join(these)}"


def write_doc(path, tally, versions):
    text = path.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    used = [(i + 1, r) for i, r in enumerate(explained.REASONS) if any(r == other for _, _, reasons in tally for _, other in reasons)]
    each = [textwrap.fill(line, 120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
            for i, r in used for line in one_by_one(tally, i, r)]
    lines = [BEGIN, versions, "", *table(tally), "", *[f"{i}. {r.words}" for i, r in used], "",
             "## One by one", "", "Each difference with the number of its reason; what inquest says | what the other says.", "", *each, END]
    path.write_text(before + "\n".join(lines) + after)


def sayings(place, one, args):
    """(inquest's, [everybody else's]) of one guest's dump."""
    elf, truth = guests.keep(one, args.folder, [args.people, args.witness])
    told = model.told(truth)
    said, others = ours.ask(args.inquest, elf), [told]
    if place:
        drgn, crash = ask_both(place, one, elf, told, args.folder)
        others += [theirs.read_drgn(drgn), theirs.read_crash(crash)]
    for who in (said, *others):
        for line in who.trouble:
            print(f"  {one.name} {who.who}: {line}")
    return said, others


def agree(args):
    """How many differences have no reason, and questions that inquest did not answer."""
    bad, tally, versions = 0, [], ""
    wanted = guests.named(args.names)
    args.folder.mkdir(parents=True, exist_ok=True)
    place = None if args.guest_only else chroot.Chroot(args.mirror)
    if place:
        versions = f"drgn {place.version('python3-drgn')}, crash {place.version('crash')}"
        print(versions)
    for one in wanted:
        said, others = sayings(place, one, args)
        bad += judge(one, said, others, tally) + len(said.trouble)
    if args.doc:
        write_doc(HERE.parent.parent / "docs/agreement.md", tally, versions)
    return bad


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("inquest")
    ap.add_argument("people")
    ap.add_argument("witness")
    ap.add_argument("names", nargs="*", metavar="NAME")
    ap.add_argument("--folder", type=pathlib.Path, default=cache_dir() / "agreement")
    ap.add_argument("--mirror", help="of Debian; else apt's own")
    ap.add_argument("--doc", action="store_true", help="write the table into docs/agreement.md")
    ap.add_argument("--guest-only", action="store_true", help="without drgn and crash")
    args = ap.parse_intermixed_args()  # names behind options, too
    try:
        bad = agree(args)
    except (BedError, OSError, subprocess.TimeoutExpired) as e:
        print(f"agree: {e}", file=sys.stderr)
        return 2
    print("all agree, or it is known why not" if not bad else f"{bad} differ, and nobody knows why")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

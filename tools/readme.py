#!/usr/bin/python3
"""The demo's transcript in README.md: made from a real run, and checked against one.

usage: readme.py --check INQUEST CORE   CORE is of the seed that the README names
       readme.py --write TRANSCRIPT     puts what `./dev demo` printed into the README

A run of the same seed differs in where each CPU was caught and in the time; those are masked."""
import difflib, pathlib, re, shutil, subprocess, sys, tempfile

README = pathlib.Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- transcript: tools/readme.py -->\n```console\n", "```\n<!-- end -->\n"
MASKS = ((r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME"), (r"rip 0x[0-9a-f]+", "rip RIP"),
         (r"in SMM at 0x[0-9a-f]+", "in SMM at RIP"), (r"interrupted\s+0x[0-9a-f]+", "interrupted RIP"),
         (r"^(\s+\d \w+) +0x[0-9a-f]+", r"\1 RIP"), (r"nmi.masked \d", "nmi.masked"))


def block(text):
    if BEGIN not in text or END not in text:
        sys.exit(f"{README.name}: no transcript between its two marks")
    return text[text.index(BEGIN) + len(BEGIN):text.index(END)]


def seed_of(text):
    found = re.search(r"^seed (\d+)", block(text), re.M)
    return found[1] if found else sys.exit(f"{README.name}: the transcript names no seed")


def plain(text):
    """Words only: masked values may wrap lines elsewhere."""
    for pattern, word in MASKS:
        text = re.sub(pattern, word, text, flags=re.M)
    return text.split()


def check(inquest, core):
    shown = block(README.read_text())
    shown = shown[shown.index("$ build/inquest index"):shown.index("\nlook around:")]
    with tempfile.TemporaryDirectory() as folder:
        demo = pathlib.Path(folder) / "build" / "demo"
        demo.mkdir(parents=True)
        shutil.copy(core, demo / "demo.core")
        real = ""
        for verb in ("index", "report"):
            done = subprocess.run([pathlib.Path(inquest).resolve(), verb, "build/demo/demo.core"], cwd=folder,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
            real += f"$ build/inquest {verb} build/demo/demo.core\n{done.stdout}{done.stderr}"
    if plain(shown) != plain(real):
        sys.stdout.writelines(difflib.unified_diff(shown.splitlines(True), real.splitlines(True), "README.md", "a real run"))
        sys.exit(f"{README.name}: the transcript is not what a run prints; ./dev readme writes it anew")


def write(transcript):
    text = README.read_text()
    at = text.index(BEGIN) + len(BEGIN)
    README.write_text(text[:at] + pathlib.Path(transcript).read_text() + text[at + len(block(text)):])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"] and len(sys.argv) == 4:
        check(*sys.argv[2:])
    elif sys.argv[1:2] == ["--write"] and len(sys.argv) == 3:
        write(sys.argv[2])
    elif sys.argv[1:] == ["--seed"]:
        print(seed_of(README.read_text()))
    else:
        sys.exit(__doc__)

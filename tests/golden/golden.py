#!/usr/bin/env python3
"""Commands and what they print.  usage: golden.py INQUEST MKDUMP [CASE.txt ...]

A case is a text: lines `$ command`, each followed by what it prints (standard error included) and
`[exit N]`.  All run in one fresh folder that holds NAME.core for every NAME.dump here.  BLESS=1
writes what was printed into the cases.  Beyond the text: lines of at most 80 columns, and JSON that
is JSON."""
import difflib, json, os, pathlib, shutil, subprocess, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
FREE_WIDTH = ("--json", "--sql", " sql ", " rules ", "sqlite3")


def build_dumps(mkdump, folder):
    for text in sorted(HERE.glob("*.dump")):
        subprocess.run([mkdump, text, folder / f"{text.stem}.core"], check=True)
    for f in folder.iterdir():
        f.chmod(0o644)


def run(command, folder, inquest):
    env = {"PATH": f"{folder}/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(folder / "home"),
           "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    env |= {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
    p = subprocess.run(["bash", "-c", command], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return p.stdout.decode("utf-8", "backslashreplace"), p.returncode


def complaints(command, out):
    if "--json" in command and "|" not in command:
        text = "".join(l for l in out.splitlines(True) if not l.startswith("inquest: "))
        try:
            decoder, at = json.JSONDecoder(), 0
            while text[at:].strip():
                _, n = decoder.raw_decode(text[at:].lstrip())
                at = len(text) - len(text[at:].lstrip()) + n
        except ValueError as e:
            yield f"not JSON: {e}"
    if not any(w in command for w in FREE_WIDTH):
        for line in out.splitlines():
            if len(line) > 80 and not line.startswith("inquest: "):
                yield f"wider than 80 columns: {line}"
    for c in out:
        if ord(c) < 32 and c != "\n" or 127 <= ord(c) < 160:
            yield f"a control character: {c!r}"


def check(case, folder, inquest):
    old, new, bad = case.read_text(), [], []
    for line in old.splitlines():
        if line.startswith("# "):
            new.append(line)
        if not line.startswith("$ "):
            continue
        out, code = run(line[2:], folder, inquest)
        bad += [f"{line}: {c}" for c in complaints(line, out)]
        new += ([] if not new or new[-1].startswith("# ") else [""]) + [line]
        new += out.rstrip("\n").splitlines() + [f"[exit {code}]"]
    text = "\n".join(new) + "\n"
    if os.environ.get("BLESS"):
        case.write_text(text)
    elif text != old:
        bad += difflib.unified_diff(old.splitlines(), text.splitlines(), case.name, "printed",
                                    lineterm="")
    return bad


def main():
    inquest, mkdump = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    folder = pathlib.Path(tempfile.mkdtemp(prefix="inquest-golden-"))
    failed = 0
    try:
        folder.chmod(0o755)
        build_dumps(mkdump, folder)
        (folder / "bin").mkdir()
        shutil.copy(inquest, folder / "bin" / "inquest")  # where any user may run it, unlike a clone below /root
        for case in sys.argv[3:] or sorted(map(str, HERE.glob("*.txt"))):
            bad = check(pathlib.Path(case), folder, inquest)
            print(("FAIL " if bad else "ok ") + pathlib.Path(case).stem)
            print("".join(f"  {b}\n" for b in bad), end="")
            failed += bool(bad)
    finally:
        shutil.rmtree(folder)
    return 1 if failed else 0


sys.exit(main())

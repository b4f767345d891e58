#!/usr/bin/python3
"""What the corpora of the fuzz targets reach: lines of each file that parses foreign bytes.

usage: coverage.py BUILD

BUILD is compiled with clang's -fprofile-instr-generate -fcoverage-mapping (./dev coverage).  Every replay program runs
over its corpus, without sweeps.  Exit 1: a file of loader/ is reached less than LEAST says."""
import json, os, pathlib, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests/fuzz/corpus"
FOLDERS = ("loader", "symbols", "machine")
LEAST = 80  # percent of lines, of each file of loader/
# Runs in a process of its own, which the targets replace by what it may answer.
ELSEWHERE = {"loader/libkdump_child.c"}


def replays(build):
    """[(program, folder)]"""
    for folder in sorted(CORPUS.iterdir()):
        program = build / "tests/fuzz" / f"replay_{folder.name}"
        if not program.exists():
            sys.exit(f"coverage: {program} is missing: a corpus without a program that replays it")
        yield program, folder


def run_all(build, work):
    """The merged profile of all."""
    raw = []
    for program, folder in replays(build):
        raw.append(work / f"{folder.name}.profraw")
        subprocess.run([program, folder], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "LLVM_PROFILE_FILE": str(raw[-1])})
    merged = work / "merged"
    subprocess.run(["llvm-profdata-14", "merge", "-sparse", *raw, "-o", merged], check=True)
    return merged


def lines(build, profile):
    """{file: (lines, reached)} of the folders that parse."""
    programs = [program for program, _ in replays(build)]
    objects = [arg for program in programs[1:] for arg in ("-object", program)]
    done = subprocess.run(["llvm-cov-14", "export", "-summary-only", f"-instr-profile={profile}", programs[0], *objects],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    found = {}
    for entry in json.loads(done.stdout)["data"][0]["files"]:
        path = os.path.relpath(os.path.join(build, entry["filename"]), ROOT)
        if path.endswith(".c") and path.split("/")[0] in FOLDERS:
            of = entry["summary"]["lines"]
            found[path] = (of["count"], of["covered"])
    return found


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="coverage-") as work:
        found = lines(build, run_all(build, pathlib.Path(work)))
    low = []
    print(f"{'file':34} {'lines':>6} {'reached':>8}")
    for path, (count, covered) in sorted(found.items()):
        percent = 100 * covered / count if count else 100
        print(f"{path:34} {count:6} {percent:7.1f}%{'  in a child' if path in ELSEWHERE else ''}")
        if path.startswith("loader/") and path not in ELSEWHERE and percent < LEAST:
            low.append(path)
    print(f"less than {LEAST} %: {', '.join(low)}" if low else f"all of loader/ at {LEAST} % or more")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())

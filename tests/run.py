#!/usr/bin/python3
"""Run the tests of one or more build folders and end in one plain line: N passed, N failed, N skipped.

usage: run.py [--allowed FILE] BUILD[:MESON-TEST-OPTION,...]...

The counts come from what meson writes down per test, not from its words.  Exit code 0: nothing failed
and every skip is named in FILE (a name a line, # starts a comment)."""
import argparse, json, pathlib, subprocess, sys

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}


def read_names(path):
    lines = pathlib.Path(path).read_text().splitlines() if path else []
    return {name for name in (line.split("#")[0].strip() for line in lines) if name}


def run_build(build, options):
    """[(name, result)] of one build folder; a run that meson itself could not do is a failed test."""
    log = pathlib.Path(build) / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    print(f"-- {build}", flush=True)
    # a busy machine is slow, not wrong
    code = subprocess.run(["meson", "test", "-C", build, "--print-errorlogs", "--timeout-multiplier=3", *options],
                          stdin=subprocess.DEVNULL).returncode
    try:
        entries = [json.loads(line) for line in log.read_text().splitlines()]
    except (OSError, ValueError):
        entries = []
    results = [(entry["name"].split(" / ")[-1], entry["result"]) for entry in entries]
    if not results or (code and all(result in PASSED | SKIPPED for _, result in results)):
        results.append((f"meson test in {build}", f"ERROR (exit {code}, {len(entries)} tests)"))
    return results


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--allowed")
    ap.add_argument("builds", nargs="+")
    args = ap.parse_args()
    allowed = read_names(args.allowed)
    passed, failed, skipped = 0, [], []
    for text in args.builds:
        build, _, options = text.partition(":")
        for name, result in run_build(build, options.split(",") if options else []):
            if result in PASSED:
                passed += 1
            elif result in SKIPPED:
                skipped.append(name)
            else:
                failed.append(f"{build}: {name}: {result}")
    for line in failed:
        print(f"failed: {line}")
    for name in sorted(set(skipped)):
        print(f"skipped: {name}{'' if name in allowed else ' (not allowed by name)'}")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped", flush=True)
    return 1 if failed or set(skipped) - allowed else 0


if __name__ == "__main__":
    sys.exit(main())

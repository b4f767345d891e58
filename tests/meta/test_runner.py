#!/usr/bin/python3
"""The runner must notice: tests/run.py is run on a small project whose tests fail, crash, hang and skip on purpose."""
import pathlib, subprocess, sys, tempfile

RUN = pathlib.Path(__file__).resolve().parent.parent / "run.py"
PROJECT = """\
project('must-fail')
sh = find_program('sh')
test('good', sh, args: ['-c', 'exit 0'], suite: 'good')
test('fails', sh, args: ['-c', 'exit 1'])
test('crashes', sh, args: ['-c', 'kill -SEGV $$'])
test('hangs', sh, args: ['-c', 'sleep 60'], timeout: 1)
test('skips', sh, args: ['-c', 'exit 77'], suite: 'skip')
test('fails as expected', sh, args: ['-c', 'exit 1'], should_fail: true, suite: 'good')
test('passes against all hope', sh, args: ['-c', 'exit 0'], should_fail: true)
"""
CASES = (  # what is run, the last line, whether the runner must succeed
    ("every test", [], "", "2 passed, 4 failed, 1 skipped", False),
    ("good tests alone", ["--suite=good"], "", "2 passed, 0 failed, 0 skipped", True),
    ("a skip that nobody allowed", ["--suite=skip"], "other\n", "0 passed, 0 failed, 1 skipped", False),
    ("a skip that is allowed", ["--suite=skip"], "skips # a reason\n", "0 passed, 0 failed, 1 skipped", True),
    ("no test at all", ["--suite=nothing"], "", "0 passed, 1 failed, 0 skipped", False),
)


def main():
    bad = 0
    with tempfile.TemporaryDirectory() as tmp:
        top = pathlib.Path(tmp)
        (top / "meson.build").write_text(PROJECT)
        subprocess.run(["meson", "setup", top / "b", top], check=True, stdout=subprocess.DEVNULL)
        for what, options, allowed, last, good in CASES:
            (top / "allowed").write_text(allowed)
            build = str(top / "b") + (":" + ",".join(options) if options else "")
            done = subprocess.run([sys.executable, RUN, "--allowed", top / "allowed", build],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            got = done.stdout.splitlines()[-1]
            if got != last or (done.returncode == 0) != good:
                bad += 1
                print(f"{what}: {got!r} and exit code {done.returncode}, wanted {last!r}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

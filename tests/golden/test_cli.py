#!/usr/bin/env python3
"""What golden texts cannot show: signals, closed pipes, terminals.  usage: test_cli.py INQUEST MKDUMP"""
import json, os, pathlib, pty, re, select, shutil, signal, subprocess, sys, tempfile, time

HERE = pathlib.Path(__file__).resolve().parent
INQUEST, MKDUMP = (str(pathlib.Path(p).resolve()) for p in sys.argv[1:3])


def restore_pipe():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def ignore_pipe():
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def closed_pipe(preexec):
    r, w = os.pipe()
    os.close(r)
    p = subprocess.run([INQUEST, "show", "regs", "stuck.core"], stdout=w, stderr=subprocess.PIPE,
                       preexec_fn=preexec)
    os.close(w)
    return p


def a_reader_that_leaves_early_hears_nothing():
    assert closed_pipe(restore_pipe).stderr == b""
    assert closed_pipe(ignore_pipe).stderr == b""


def killed_at_any_time_there_is_a_whole_index_or_none():
    target = pathlib.Path("killed.inq")
    seen = set()
    for ms in range(0, 60):
        target.unlink(missing_ok=True)
        p = subprocess.Popen([INQUEST, "index", "-o", str(target), "stuck.core"],
                             stdout=subprocess.DEVNULL)
        time.sleep(ms / 1000)
        p.kill()
        p.wait()
        seen.add(target.exists())
        if target.exists():
            subprocess.run([INQUEST, "sql", str(target), "SELECT count(*) FROM finding"], check=True,
                           stdout=subprocess.DEVNULL)
        for f in pathlib.Path().glob("killed.inq.*.tmp"):
            f.unlink()
        if ms > 20 and len(seen) == 2:
            break
    assert False in seen, "never killed in time"


def asked_to_end_an_index_leaves_nothing_behind():
    stopped = 0
    for ms in range(0, 40):
        p = subprocess.Popen([INQUEST, "index", "-o", "ended.inq", "stuck.core"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        time.sleep(ms / 2000)
        p.terminate()
        p.wait()
        assert p.returncode in (0, -signal.SIGTERM), p.returncode
        stopped += p.returncode != 0
        left = list(pathlib.Path().glob("ended.inq.*"))
        assert not left, left
        pathlib.Path("ended.inq").unlink(missing_ok=True)
    assert stopped, "never ended in time"


ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"


def ctrl_c_ends_an_endless_question():
    p = subprocess.Popen([INQUEST, "sql", "stuck.core", ENDLESS], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    time.sleep(1)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=20)
    assert (out, err) == (b"", b"inquest: stopped\n"), (out, err)
    assert p.returncode == -signal.SIGINT, p.returncode


def on_terminal(args, keys=b"", env=None, wait=b""):
    """What the command writes to a terminal of 80x24, and its exit code."""
    pid, fd = pty.fork()
    if not pid:
        os.environ.update({"TERM": "xterm", "LC_ALL": "C.UTF-8"} | (env or {}))
        os.execv(INQUEST, [INQUEST, *args])
    out, end = b"", time.monotonic() + 30
    while time.monotonic() < end:
        if keys and wait in out:
            os.write(fd, keys)
            keys = b""
        if select.select([fd], [], [], 0.2)[0]:
            try:
                got = os.read(fd, 65536)
            except OSError:
                break
            if not got:
                break
            out += got
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(fd)
    return out, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def colour_is_for_terminals_only():
    out, code = on_terminal(["report", "stuck.core"])
    assert b"\033[1;31merror\033[0m: " in out and code == 1, (out, code)
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        out, code = on_terminal(["report", "stuck.core"], env=env)
        assert not re.search(rb"\033\[[0-9;]*m", out) and b"error: " in out, (env, out)
        assert "TERM" not in env or b"\033" not in out, (env, out)  # not even a progress line
    piped = subprocess.run([INQUEST, "report", "stuck.core"], stdout=subprocess.PIPE).stdout
    assert b"\033" not in piped


def the_prompt_answers_survives_mistakes_and_ends():
    keys = b"SELECT 6 *\n7 AS x;\nSELEC;\nSELECT count(*) AS n FROM cpu;\n\x04"
    out, code = on_terminal(["sql", "stuck.core"], keys, wait=b"inquest> ")
    text = out.decode().replace("\r", "")
    assert code == 0 and re.search(r"x\n42\n", text), text
    assert 'near "SELEC": syntax error' in text and re.search(r"n\n2\n", text), text
    assert "    ...> " in text, text


def at_prompt(*steps):
    """Types each text when the one before it was seen; what was printed, and the exit code."""
    pid, fd = pty.fork()
    if not pid:
        os.environ["TERM"] = "dumb"
        os.execv(INQUEST, [INQUEST, "sql", "stuck.core"])
    out, end, step = b"", time.monotonic() + 30, 0
    while time.monotonic() < end:
        if step < len(steps) and steps[step][0] in out:
            time.sleep(0.2)
            os.write(fd, steps[step][1])
            step += 1
        if select.select([fd], [], [], 0.2)[0]:
            try:
                out += os.read(fd, 65536)
            except OSError:
                break
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(fd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert (step, code) == (len(steps), 0), (step, code, out)


def ctrl_c_at_the_prompt_stops_an_endless_answer():
    at_prompt((b"inquest> ", ENDLESS.encode() + b";\n"), (b"FROM c;\r\n", b"\x03"),
              (b"stopped\r\ninquest> ", b"SELECT 6 * 7 AS x;\n"), (b"\r\n42\r\n", b"\x04"))


def ctrl_c_at_the_prompt_drops_the_question():
    at_prompt((b"inquest> ", b"SELECT wrong\n"), (b"    ...> ", b"and worse"), (b"worse", b"\x03"),
              (b"^C\r\ninquest> ", b"SELECT 6 * 7 AS x;\n"), (b"\r\n42\r\n", b"\x04"))


def the_tui_counts_what_was_not_seen_as_the_report_does():
    report = subprocess.run([INQUEST, "report", "evil.core"], stdout=subprocess.PIPE).stdout.decode()
    counts = re.search(r"\d+ rules? not evaluated, \d+ gaps?", report)[0]
    assert counts[0] != "0", counts
    out, _ = on_terminal(["evil.core"], b"q", wait=b" gap")
    assert counts in out.decode(), (counts, out[-500:])


def a_file_alone_is_the_tui_on_a_terminal():
    out, code = on_terminal(["stuck.core"], b"q", wait=b"smm-tight-loop")
    assert b"smm-tight-loop" in out and b"\033[?1049h" in out and code == 0, (out[-300:], code)


def asked_with_stock_sqlite_every_view_has_the_same_rows():
    subprocess.run([INQUEST, "index", "-o", "stock.inq", "stuck.core"], check=True, stdout=subprocess.DEVNULL)
    views = subprocess.run([INQUEST, "views"], check=True, stdout=subprocess.PIPE, text=True).stdout
    names = re.findall(r"^(\S+)", views, re.M)
    listed = pathlib.Path(__file__).resolve().parents[2] / "analyzers/live/table.h"
    live = set(re.findall(r"X\((\w+)\)", listed.read_text())) - {"name"}
    assert {"dis", "page", "symbol"} <= live, live
    filled = 0
    for name in names:
        sql = subprocess.run([INQUEST, "show", "--sql", name], check=True, stdout=subprocess.PIPE, text=True).stdout
        if any({table, called} & live for table, called in re.findall(r"\b(?:FROM|JOIN)\s+(\w+)|\b(\w+)\(", sql)):
            continue  # memory is no row: only inquest with the dump reads it
        stock = subprocess.run(["sqlite3", "-json", "stock.inq", sql], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
        assert (stock.returncode, stock.stderr) == (0, ""), (name, stock.stderr)
        ours = subprocess.run([INQUEST, "show", "--json", name, "stock.inq"], check=True, stdout=subprocess.PIPE)
        rows = json.loads(ours.stdout)["rows"]
        assert len(json.loads(stock.stdout or "[]")) == len(rows), (name, stock.stdout, ours.stdout)
        filled += bool(rows)
    assert len(names) > 20 and filled > 15, (names, filled)


def verbose(*args):
    """What the command says beside its answer, and its exit code."""
    p = subprocess.run([INQUEST, *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return p.stderr, p.returncode


def verbose_tells_sandbox_loader_and_index():
    said, code = verbose("show", "--verbose", "cpus", "stuck.core")
    assert code == 0 and re.search(r"^inquest: sandbox: (Landlock ABI \d|no Landlock: )", said, re.M), said
    assert re.search(r"^inquest: sandbox: (seccomp: no socket|no seccomp: )", said, re.M), said
    assert re.search(r"^inquest: elfcore: ELF cores", said, re.M), said
    assert "inquest: stuck.core: opened by elfcore as inquest snapshot; " in said, said
    subprocess.run([INQUEST, "index", "stuck.core"], check=True, stdout=subprocess.DEVNULL)
    said, _ = verbose("show", "--verbose", "cpus", "stuck.core")
    assert "inquest: stuck.core.inq: its rows are used\n" in said, said
    os.unlink("stuck.core.inq")


def an_index_that_leads_elsewhere_is_not_followed():
    os.mkdir("elsewhere")
    subprocess.run([INQUEST, "index", "-o", "elsewhere/lure.inq", "stuck.core"], check=True,
                   stdout=subprocess.DEVNULL)
    os.symlink("elsewhere/lure.inq", "stuck.core.inq")
    said, code = verbose("show", "--verbose", "cpus", "stuck.core")
    os.unlink("stuck.core.inq")
    refused = "inquest: stuck.core.inq: not used: Permission denied; " in said
    assert code == 0 and refused != ("no Landlock" in said), said


def while_it_answers_the_fence_is_up():
    pid, fd = pty.fork()
    if not pid:
        os.execv(INQUEST, [INQUEST, "sql", "--verbose", "stuck.core"])
    out = b""
    while b"inquest> " not in out:
        out += os.read(fd, 65536)
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    os.write(fd, b"\x04")
    os.waitpid(pid, 0)
    os.close(fd)
    assert "NoNewPrivs:\t1\n" in status, status
    assert ("Seccomp:\t2\n" in status) != (b"no seccomp" in out), status


def a_save_from_the_tui_keeps_everything():
    for file, saved in (("stuck.core", "stuck.core.inq"), (f"{os.getcwd()}/evil.core", "evil.core.inq")):
        pid, fd = pty.fork()
        if not pid:
            os.environ.update({"TERM": "xterm", "LC_ALL": "C.UTF-8"})
            os.execv(INQUEST, [INQUEST, file])
        out, keys = b"", [(b"Enter", b"w"), (b"saved as", b"Q")]
        while True:
            if keys and keys[0][0] in out:
                os.write(fd, keys.pop(0)[1])
            try:
                out += os.read(fd, 65536)
            except OSError:
                break
        os.close(fd)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert (code, keys) == (0, []), (code, keys, out[-500:])
        said, code = verbose("show", "--verbose", "cpus", file)
        assert f"{saved}: its rows are used\n" in said, said
        os.unlink(saved)


def main():
    folder = tempfile.mkdtemp(prefix="inquest-cli-")
    failed = 0
    try:
        os.chdir(folder)
        os.environ["HOME"] = folder
        os.environ.pop("XDG_CACHE_HOME", None)
        os.environ.pop("NO_COLOR", None)
        for name in ("stuck", "evil"):
            subprocess.run([MKDUMP, HERE / f"{name}.dump", f"{name}.core"], check=True)
        for name, test in list(globals().items()):
            if "_" in name and callable(test) and test.__module__ == "__main__" and name not in \
                    ("closed_pipe", "restore_pipe", "ignore_pipe", "verbose", "on_terminal", "at_prompt"):
                try:
                    test()
                    print("ok", name, flush=True)
                except Exception as e:  # a failed check, or a command that did not end
                    failed += 1
                    print("FAIL", name, type(e).__name__, e, flush=True)
    finally:
        os.chdir("/")
        shutil.rmtree(folder)
    return 1 if failed else 0


sys.exit(main())

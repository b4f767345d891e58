#!/usr/bin/env python3
"""Type keys into the TUI under tmux and compare the screens.

usage: golden.py [--update] SCRIPT.keys NAME=COMMAND...    (a COMMAND may hold {dir}: a scratch folder)

A script has one step per line; the screens it looks at are in SCRIPT.screen:
    term NAME         TERM of the program (screen)      env NAME=VALUE   add to its environment
    size WxH          of the terminal (80x24)           run NAME [ARG]   start the command NAME
    key NAME...       tmux names: Down, Enter, C-l      type TEXT        as it stands
    wait TEXT         until the screen shows it         resize WxH
    snap LABEL        the screen must become SCRIPT.screen's one of that label
    bold TEXT         a line with TEXT has bold text    colors some|none
    signal NAME       to the program                    hangup           take its terminal away
    ignore NAME       start it with that signal ignored
    exit STATUS...    it ends in one of these ways, and the shell behind has echo, cursor and settings as before
    stderr TEXT       it wrote that                     notty STATUS NAME   run without a terminal
Nothing waits for a fixed time: a step polls until it holds, and fails after PATIENCE seconds."""
import difflib, os, pathlib, re, shlex, signal, subprocess, sys, tempfile, time

PATIENCE = 40
POLL = 0.05


class Failure(Exception):
    pass


class Screen:
    """A shell in a tmux server of our own, and the program that it runs."""

    def __init__(self, folder, commands):
        self.dir, self.commands = folder, commands
        self.term, self.size, self.env, self.ignored = "screen", (80, 24), {}, ""
        (folder / "tmux").mkdir()

    def environment(self):
        keep = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
        env = {k: os.environ[k] for k in keep if k in os.environ}
        return env | {"LC_ALL": "C.UTF-8", "HOME": str(self.dir), "SHELL": "/bin/sh", "PS1": "$ ",
                      "TMUX_TMPDIR": str(self.dir / "tmux"), "TERM": "screen"}

    def tmux(self, *args, check=True):
        name = f"inquest-test-{os.getpid()}"
        r = subprocess.run(["tmux", "-L", name, "-f", "/dev/null", *args], env=self.environment(),
                           stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8")
        if check and r.returncode:
            raise Failure(f"tmux {args[0]}: {r.stderr.strip()}")
        return r.stdout

    def close(self):
        self.tmux("kill-server", check=False)

    def file(self, name):
        f = self.dir / name
        return f.read_text(errors="replace") if f.exists() else ""

    def words(self, name, extra=()):
        return [w.format(dir=self.dir) for w in shlex.split(self.commands[name])] + list(extra)

    def run(self, name, *extra):
        command = shlex.join(self.words(name, extra))
        env = shlex.join(f"{k}={v}" for k, v in ({"TERM": self.term} | self.env).items())
        (self.dir / "program").write_text(f"{self.ignored}echo $$ >pid\nexec {command}\n")
        (self.dir / "start").write_text(f"""ulimit -c 0
stty -a >before
env {env} sh ./program 2>stderr
echo $? >status.new
stty -a >after
mv status.new status
""")
        # The time limit ends the server too, should nobody be left to do it.
        self.tmux("new-session", "-d", "-x", str(self.size[0]), "-y", str(self.size[1]), "-c",
                  str(self.dir), "timeout --foreground 300 sh", ";", "set", "-g", "window-size", "manual")
        self.tmux("send-keys", ". ./start", "Enter")

    def shown(self, *flags):
        return "\n".join(line.rstrip() for line in
                         self.tmux("capture-pane", "-p", *flags).split("\n")).rstrip("\n") + "\n"

    def until(self, what, holds, explain=None):
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end:
                raise Failure(f"{what}\n" + (explain() if explain else self.shown() + self.file("stderr")))
            time.sleep(POLL)

    def settled(self):
        """The screen when it no longer changes: for writing what is expected, never for comparing."""
        last, since = None, time.monotonic()
        while time.monotonic() - since < 1:
            now = self.shown()
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(POLL)
        return last

    def query(self, what):
        return self.tmux("display-message", "-p", what).strip()


class Script:
    def __init__(self, path, screen, update):
        self.path, self.screen, self.update = path, screen, update
        self.expected, self.seen = {}, {}
        golden = path.with_suffix(".screen")
        if golden.exists():
            parts = re.split(r"^==== (.*) ====\n", golden.read_text(), flags=re.M)
            self.expected = dict(zip(parts[1::2], parts[2::2]))

    def play(self):
        for n, line in enumerate(self.path.read_text().splitlines(), 1):
            word, _, rest = line.strip().partition(" ")
            if not word or word.startswith("#"):
                continue
            try:
                getattr(self, "do_" + word)(rest.strip())
            except Failure as e:
                raise Failure(f"{self.path.name}:{n}: {line.strip()}: {e}") from None
        self.finish()

    def finish(self):
        if self.update and self.seen:
            self.path.with_suffix(".screen").write_text(
                "".join(f"==== {k} ====\n{v}" for k, v in self.seen.items()))
        elif set(self.seen) != set(self.expected):
            raise Failure(f"{self.path.name}: screens nobody looks at: {set(self.expected) - set(self.seen)}")

    def do_term(self, name):
        self.screen.term = name

    def do_size(self, text):
        self.screen.size = tuple(int(n) for n in text.split("x"))

    def do_env(self, text):
        name, _, value = text.partition("=")
        self.screen.env[name] = value

    def do_run(self, text):
        self.screen.run(*text.split())

    def do_key(self, text):
        self.screen.tmux("send-keys", *text.split())

    def do_type(self, text):
        self.screen.tmux("send-keys", "-l", text)

    def do_wait(self, text):
        self.screen.until("never shown", lambda: text in self.screen.shown())

    def do_resize(self, text):
        width, height = text.split("x")
        self.screen.tmux("resize-window", "-x", width, "-y", height)

    def do_snap(self, label):
        if label in self.seen:
            raise Failure("label used twice")
        if self.update:
            self.seen[label] = self.screen.settled()
            return
        if label not in self.expected:
            raise Failure("no such screen; golden.py --update writes it")
        want = self.seen[label] = self.expected[label]

        def diff():
            return "".join(difflib.unified_diff(want.splitlines(True), self.screen.shown().splitlines(True),
                                                "expected", "shown")) + self.screen.file("stderr")
        self.screen.until("differs", lambda: self.screen.shown() == want, diff)

    def do_bold(self, text):
        def holds():
            return any(text in re.sub("\x1b\\[[0-9;]*m", "", line) and
                       re.search("\x1b\\[(?:[0-9;]*;)?1[;m]", line)
                       for line in self.screen.shown("-e").split("\n"))
        self.screen.until("not bold", holds)

    def do_colors(self, which):
        def some():
            codes = re.findall("\x1b\\[([0-9;]*)m", self.screen.shown("-e"))
            return any(re.fullmatch("[34][0-7]", c) for code in codes for c in code.split(";"))
        self.screen.until("colours", lambda: some() == (which == "some"))

    def pid(self):
        self.screen.until("not started", lambda: self.screen.file("pid").endswith("\n"))
        return int(self.screen.file("pid"))

    def do_signal(self, name):
        os.kill(self.pid(), getattr(signal, "SIG" + name))

    def do_ignore(self, name):
        self.screen.ignored += f"trap '' {name}\n"

    def do_hangup(self, _):
        pid = self.pid()
        self.screen.tmux("kill-server")
        self.screen.until("still runs", lambda: not alive(pid), lambda: "")

    def do_exit(self, status):
        s = self.screen
        s.until("still runs", lambda: s.file("status"))
        if s.file("status").strip() not in status.split():
            raise Failure(f"ended with {s.file('status').strip()}\n{s.file('stderr')}")
        if s.file("before") != s.file("after"):
            raise Failure(f"stty -a differs:\n{s.file('before')}{s.file('after')}")
        s.until("alternate screen, or cursor hidden", lambda: s.query("#{alternate_on} #{cursor_flag}") == "0 1")
        s.tmux("send-keys", "-l", "printf 'he%s\\n' llo; exec cat")
        s.until("no echo", lambda: "llo; exec cat" in s.shown())
        s.tmux("send-keys", "Enter")
        s.until("no output", lambda: "hello" in s.shown())

    def do_stderr(self, text):
        self.screen.until("not written", lambda: text in self.screen.file("stderr"))

    def do_notty(self, text):
        status, name = text.split()
        r = subprocess.run(self.screen.words(name), env=self.screen.environment(), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
        (self.screen.dir / "stderr").write_bytes(r.stderr)
        if str(r.returncode) != status or r.stdout:
            raise Failure(f"ended with {r.returncode}: {r.stdout + r.stderr}")


def alive(pid):
    """Is it a process that still runs?  A zombie does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def main(argv):
    update = "--update" in argv
    path, *commands = [a for a in argv if a != "--update"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="inquest-tui-") as folder:
        screen = Screen(pathlib.Path(folder), dict(c.split("=", 1) for c in commands))
        try:
            Script(pathlib.Path(path), screen, update).play()
        except Failure as e:
            print(e)
            return 1
        finally:
            screen.close()
    return 0


sys.exit(main(sys.argv[1:]))

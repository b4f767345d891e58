#!/usr/bin/python3
"""Small images on this machine's KVM: a multiboot kernel and flat binaries, how they begin and how they end.

usage: test_images.py INQUEST_VMM MULTIBOOT_KERNEL DEVICES_KERNEL (exit code 77: there is no /dev/kvm)"""
import datetime, json, os, pathlib, pty, re, select, signal, socket, struct, subprocess, sys, tempfile, time, unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bed")]
import core, states  # noqa: E402

VMM, KERNEL, DEVICES = (str(pathlib.Path(a).resolve()) for a in (sys.argv.pop(1), sys.argv.pop(1), sys.argv.pop(1)))


class Images(unittest.TestCase):
    def boot(self, kernel, *more):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        done = subprocess.run([VMM, "run", "--kernel", kernel, "--memory", "16", "--snapshot", "x.core", *more], cwd=self.dir.name,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=100)
        return done.returncode, done.stdout, done.stderr, os.path.exists(self.dir.name + "/x.core")

    def test_multiboot_ends_with_its_code(self):
        code, out, err, core = self.boot(KERNEL, "--append", "5 is the code")
        self.assertEqual((code, err, core), (11, "", True))
        self.assertIn("5 is the code\n", out)

    def test_tables_as_loaded(self):
        """What a guest does to them changes memory, not the note; and they are kept over a resume."""
        self.boot(DEVICES, "--append", "c")
        path = pathlib.Path(self.dir.name) / "x.core"
        c = core.load(path)
        tables = c.notes["tables", core.VM]
        self.assertEqual(struct.unpack_from("<QQ", tables), (0x9C000, 0x4000))
        self.assertEqual(tables[16:], c.phys(0x9C000, 0x4000))
        self.assertEqual((tables[16:24], tables[0x3C10:0x3C14]), (b"RSD PTR ", b"_MP_"))
        subprocess.run([VMM, "resume", path, "--for", "0", "--snapshot", str(path) + "2"], stdout=subprocess.PIPE)
        self.assertEqual(core.load(str(path) + "2").notes["tables", core.VM], tables)
        subprocess.run([VMM, "run", "--scenario", "hlt-if0", "--snapshot", path], stdout=subprocess.PIPE, check=True)
        self.assertEqual(core.load(path).states["tables", core.VM], (1, 0))  # absent

    def test_multiboot_dies(self):
        code, _, err, core = self.boot(KERNEL, "--append", "no digit")
        self.assertEqual((code, core), (1, True))
        self.assertIn("triple fault; its snapshot is in x.core", err)

    def test_flat_in_real_mode_and_in_64_bits(self):
        with tempfile.NamedTemporaryFile() as f:
            f.write(b"\x66\x31\xc0\xb0\x03\xe6\xf4\xeb\xfe")  # xor; mov al, 3; out 0xf4, al; jmp $
            f.flush()
            for more in ((), ("--entry", "64"), ("--load-at", "0x12345")):
                code, _, err, core = self.boot(f.name, "--boot", "flat", *more)
                self.assertEqual((code, err, core), (7, "", True))

    def test_ways_to_end(self):
        for how, text in (("c", "reset the machine, through port 0xcf9"), ("f", "reset the machine, through port 0x92"),
                          ("k", "reset the machine, through the i8042"), ("o", "switched the machine off")):
            code, out, err, core = self.boot(DEVICES, "--append", how, "--vcpus", "1")
            self.assertEqual((code, err, core), (0, "", True), how)
            note = (pathlib.Path(self.dir.name) / "x.core").read_bytes()
            self.assertIn(f"the guest {text}".encode(), note)

    def test_clock(self):
        before = datetime.datetime.now(datetime.timezone.utc).year
        code, out, err, _ = self.boot(DEVICES, "--append", "t")
        self.assertEqual((code, err), (1, ""))
        self.assertIn(int(out.splitlines()[1]), (before, datetime.datetime.now(datetime.timezone.utc).year))

    def test_live_snapshot_of_a_guest_that_writes(self):
        """Each page is of the same round, or of the next, at the one moment of the snapshot: the guest itself looks.
        On a machine that is very busy it may be over before."""
        caught = 0
        for after, *more in (("150",), ("300", "--watch", "0x200000:8"), ("450",)):
            code, out, err, core_there = self.boot(DEVICES, "--append", "w", "--vcpus", "1", "--after", after, "--live", *more)
            self.assertEqual((code & ~1, err, core_there), (0, "", True))
            path = pathlib.Path(self.dir.name) / "x.core"
            if core.load(path).reason == 7:
                continue
            caught += 1
            done = subprocess.run([VMM, "resume", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (1, ""), done.stdout)  # code 0; 19: a page was stale
        self.assertGreater(caught, 0)

    def test_1_gib_page_without_the_cpuid_bit(self):
        """A KVM that walks the tables itself refuses it, one with nested paging does not: both are in the core as they are."""
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        for seed in ("1", "2"):
            args = ("--scenario", "pdpe1gb", "--seed", seed)
            run = subprocess.run([VMM, "run", *args, "--snapshot", "x.core"], cwd=self.dir.name, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=100)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            drawn = subprocess.run([VMM, "draw", *args], stdout=subprocess.PIPE, text=True, check=True).stdout
            drawn = dict(line.split("=", 1) for line in drawn.splitlines() if "=" in line)
            self.assertEqual(list(states.wrong("pdpe1gb", core.load(pathlib.Path(self.dir.name) / "x.core"), drawn)), [])

    def start(self, how, serial, *more, **kw):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        argv = [VMM, "run", "--kernel", DEVICES, "--append", how, "--memory", "16", "--serial", serial, "--snapshot", "x.core", *more]
        p = subprocess.Popen(argv, cwd=self.dir.name, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
        self.addCleanup(lambda: (p.kill(), p.communicate()))
        return p

    def test_receives_by_interrupt(self):
        text = b"more than what a fifo of sixteen bytes has room for, in one go "
        p = self.start("e", "stdio", stdin=subprocess.PIPE)
        self.read_until(p.stdout.fileno(), b">")
        out, err = p.communicate(text + b"q", timeout=60)
        self.assertEqual((p.returncode, err), (1, b""))
        self.assertIn(bytes(c & 0xdf for c in text), out)

    def read_until(self, fd, end, seconds=60):
        got, until = b"", time.monotonic() + seconds
        while end not in got and time.monotonic() < until:
            if select.select([fd], [], [], 0.2)[0]:
                try:
                    got += os.read(fd, 4096)
                except OSError:  # a pseudo terminal that nobody has open yet
                    time.sleep(0.05)
        return got

    def test_pty(self):
        p = self.start("e", "pty", stdin=subprocess.DEVNULL)
        line = self.read_until(p.stdout.fileno(), b"MiB\n").split(b"serial: ")[1].splitlines()[0]
        fd = os.open(line, os.O_RDWR | os.O_NOCTTY)
        self.addCleanup(os.close, fd)
        self.assertEqual(self.read_until(fd, b">"), b">")
        os.write(fd, b"word")
        self.assertEqual(self.read_until(fd, b"WORD"), b"WORD")
        os.write(fd, b"q")
        self.assertEqual(p.wait(60), 1)

    def test_terminal_keys(self):
        """Ctrl-C is the guest's, Ctrl-A s takes a snapshot, Ctrl-A x ends; the terminal is as before then."""
        import termios
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        was = termios.tcgetattr(theirs)
        p = self.start("e", "stdio", stdin=theirs)
        os.set_blocking(ours, False)
        self.read_until(p.stdout.fileno(), b">")
        os.write(ours, b"abc\x03\x01\x01d")
        got = self.read_until(p.stdout.fileno(), b"D")
        self.assertTrue(got.endswith(b"ABC\x03\x01D"), got)
        self.assertNotEqual(termios.tcgetattr(theirs), was)
        os.write(ours, b"\x01s")
        self.assertIn(b"SIGUSR1: x.core.1: ", self.read_until(p.stdout.fileno(), b" us\n"))
        os.write(ours, b"\x01x")
        self.assertEqual(p.wait(60), 1)
        self.assertIn(b"interrupted", p.stderr.read())
        self.assertEqual(termios.tcgetattr(theirs), was)
        self.assertEqual(sorted(os.listdir(self.dir.name)), ["x.core.1"])

    def test_killed_while_it_writes(self):
        """SIGKILL at any moment: the older core of that name is what it was, and nothing else bears a name of a core."""
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        argv = [VMM, "run", "--scenario", "hlt-if0", "--memory", "256", "--fill", "--after", "0", "--serial", "out", "--snapshot", "x.core"]
        subprocess.run(argv, cwd=self.dir.name, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=100)
        path, halves = pathlib.Path(self.dir.name) / "x.core", 0
        before = path.stat()
        for nr in range(6):
            p = subprocess.Popen(argv, cwd=self.dir.name, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            until, most = time.monotonic() + 60, nr * (40 << 20)
            while time.monotonic() < until and p.poll() is None:
                sizes = [f.stat().st_blocks * 512 for f in path.parent.glob(".inquest-*.tmp")]
                if sizes and max(sizes) >= most:
                    break
            p.kill()
            p.communicate()
            left = [f.name for f in path.parent.iterdir() if f.name not in ("x.core", "out")]
            if p.returncode == 0:  # it was done before it could be killed
                before = path.stat()
                continue
            halves += bool(left)
            now = path.stat()
            self.assertEqual((now.st_ino, now.st_size, now.st_mtime_ns), (before.st_ino, before.st_size, before.st_mtime_ns))
            self.assertTrue(all(re.fullmatch(r"\.inquest-[0-9a-f]{16}\.tmp", name) for name in left), left)
            for name in left:
                (path.parent / name).unlink()
        self.assertGreater(halves, 0)
        core.load(path)

    def stuck_core(self):
        """Spins with interrupts off."""
        with tempfile.NamedTemporaryFile() as f:
            f.write(b"\xfa\xeb\xfe")  # cli; jmp $
            f.flush()
            self.assertEqual(self.boot(f.name, "--boot", "flat", "--vcpus", "1", "--after", "50")[0], 0)

    def resume(self, *more):
        p = subprocess.Popen([VMM, "resume", "x.core", *more], cwd=self.dir.name, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        self.addCleanup(lambda: (p.kill(), p.communicate()))
        return p

    def test_resume_has_triggers(self):
        self.stuck_core()
        out, err = self.resume("--hang", "100", "--snapshot", "hang.core").communicate(timeout=60)
        self.assertEqual(err, b"")
        self.assertIn(b"vCPU 0", out)
        c = core.load(pathlib.Path(self.dir.name) / "hang.core")
        self.assertEqual((c.reason, c.reason_vcpu), (5, 0))
        self.assertEqual(len(c.notes["rips", 0]), 16 * 24)

    def test_resume_has_a_control_socket_and_sigusr1(self):
        self.stuck_core()
        p = self.resume("--control", "sock")
        path = pathlib.Path(self.dir.name) / "sock"
        until = time.monotonic() + 60
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.02)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            answers = s.makefile("r")
            for ask, want in (({"do": "snapshot", "file": "side.core"}, True), ({"do": "step", "vcpu": 0, "n": 3}, True),
                              ({"do": "sing"}, False)):
                s.sendall(json.dumps(ask).encode() + b"\n")
                self.assertEqual(json.loads(answers.readline())["ok"], want)
            p.send_signal(signal.SIGUSR1)
            self.assertIn(b"SIGUSR1: x.core.1: ", self.read_until(p.stdout.fileno(), b" us\n"))
            s.sendall(b'{"do":"quit"}\n')
            self.assertTrue(json.loads(answers.readline())["ok"])
        out, err = p.communicate(timeout=60)
        self.assertEqual((p.returncode, err), (0, b""))
        for name in ("side.core", "x.core.1"):
            core.load(pathlib.Path(self.dir.name) / name)
        self.assertEqual(sorted(os.listdir(self.dir.name)), ["side.core", "x.core", "x.core.1"])

    def test_a_byte_waits_in_a_snapshot(self):
        """Received, not read, saved: the machine that goes on reads it."""
        p = self.start("l", "stdio", "--after", "300", "--vcpus", "1", stdin=subprocess.PIPE)
        out, err = p.communicate(b"Q", timeout=60)
        self.assertEqual((p.returncode, err), (0, b""))
        self.assertNotIn(b"\nQ", out)
        done = subprocess.run([VMM, "resume", "x.core"], cwd=self.dir.name, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)
        self.assertIn(b"\nQ\n", done.stdout)


if __name__ == "__main__":
    if not os.path.exists("/dev/kvm"):
        sys.exit(77)
    unittest.main()

#!/usr/bin/python3
"""inquest-vmm's command line: every wrong use gets one clear line, its exit code, and loses nothing.

usage: test_cli.py INQUEST_VMM"""
import os, pathlib, shutil, subprocess, sys, tempfile, unittest

VMM = str(pathlib.Path(sys.argv.pop(1)).resolve())
NUMBER = "see inquest-vmm run --help"
SEED = ["--scenario", "hlt-if0", "--seed", "1"]

# arguments, what stderr says behind "inquest-vmm: "; all end with exit code 2
WRONG = [
    ([], "command: missing; see inquest-vmm --help"),
    (["dance"], "dance: unknown command; see inquest-vmm --help"),
    (["caps", "now"], "now: not expected here; see inquest-vmm --help"),
    (["scenarios", "--loud"], "--loud: unknown option; see inquest-vmm --help"),
    (["run"], "run: --scenario (or --kernel) and --snapshot are needed; see inquest-vmm run --help"),
    (["run", "--snapshot", "x.core"], "run: --scenario (or --kernel) and --snapshot are needed; see inquest-vmm run --help"),
    (["run", "--scenario"], "--scenario: wants a value; see inquest-vmm --help"),
    (["run", "--scenario", "melt", "--snapshot", "x.core"], "melt: unknown scenario; inquest-vmm scenarios lists them"),
    (["run", *SEED, "--snapshot", "x.core", "--vcpus", "0"], f"--vcpus 0: not a number from 1 to 64; {NUMBER}"),
    (["run", *SEED, "--snapshot", "x.core", "--vcpus", "65"], f"--vcpus 65: not a number from 1 to 64; {NUMBER}"),
    (["run", *SEED, "--snapshot", "x.core", "--memory", "-1"], f"--memory -1: not a number from 16 to 65536; {NUMBER}"),
    (["run", *SEED, "--snapshot", "x.core", "--memory", "1e3"], f"--memory 1e3: not a number from 16 to 65536; {NUMBER}"),
    (["run", *SEED, "--snapshot", "x.core", "--after", ""], f"--after : not a number from 0 to 86400000; {NUMBER}"),
    (["run", *SEED, "--snapshot", "x.core", "-z"], "-z: unknown option; see inquest-vmm --help"),
    (["run", *SEED, "--snapshot", "x.core", "more"], "more: not expected here; see inquest-vmm --help"),
    (["run", *SEED, "--snapshot", "no/x.core"],
     "no/x.core: No such file or directory; give a file in a folder that exists"),
    (["run", *SEED, "--snapshot", "file"], "file: exists and is no core; remove it or give another name"),
    (["run", *SEED, "--snapshot", "/dev/null"], "/dev/null: exists and is no core; remove it or give another name"),
    (["run", *SEED, "--snapshot", ""], "--snapshot: empty; give the name of a file"),
    (["run", *SEED, "--snapshot", "x.core", "--serial", "x.core"],
     "x.core: named twice, for --serial and as another file of this machine; give another file for --serial"),
    (["run", *SEED, "--snapshot", "x.core", "--serial", "sub/../x.core"],
     "sub/../x.core: named twice, for --serial and as another file of this machine; give another file for --serial"),
    (["run", *SEED, "--snapshot", "x.core", "--disk", "file", "--serial", "./file"],
     "./file: named twice, for --serial and as another file of this machine; give another file for --serial"),
    (["resume", "file", "--serial", "sub/../file"],
     "sub/../file: named twice, for --serial and as another file of this machine; give another file for --serial"),
    (["run", *SEED, "--snapshot", "no/x.core", "--serial", "file"],
     "no/x.core: No such file or directory; give a file in a folder that exists"),
    (["run", *SEED, "--snapshot", "sub"], "sub: Is a directory; give the name of a file"),
    (["run", *SEED, "--snapshot", "file/x.core"],
     "file/x.core: Not a directory; give a file in a folder that exists"),
    (["run", *SEED, "--snapshot", "x.core", "--serial", "no/log"],
     "no/log: No such file or directory; give another file for --serial"),
    (["run", "--kernel", "none", "--snapshot", "x.core"], "none: No such file or directory; give another file"),
    (["run", "--kernel", "sub", "--snapshot", "x.core"], "sub: no plain file; give another"),
    (["run", "--kernel", "file", "--initrd", "none", "--snapshot", "x.core"],
     "none: No such file or directory; give another file"),
    (["run", *SEED, "--kernel", "file", "--snapshot", "x.core"],
     "run: --scenario and --kernel exclude each other; leave one out"),
    (["run", *SEED, "--append", "quiet", "--snapshot", "x.core"],
     "run: --initrd, --append and --boot want an image; give --kernel FILE"),
    (["run", *SEED, "--load-at", "0x8000", "--snapshot", "x.core"],
     "run: --load-at and --entry want a flat binary; give --kernel FILE"),
    (["run", *SEED, "--entry", "64", "--snapshot", "x.core"],
     "run: --load-at and --entry want a flat binary; give --kernel FILE"),
    (["run", "--kernel", "file", "--to-end", "--snapshot", "x.core"],
     "--to-end: is for scenarios, and instead of --after; leave one out"),
    (["run", *SEED, "--to-end", "--after", "5", "--snapshot", "x.core"],
     "--to-end: is for scenarios, and instead of --after; leave one out"),
    (["run", *SEED, "--step-stuck", "5", "--snapshot", "x.core"],
     "--step-stuck: nothing says when; give --hang, --smm-limit or --on-post, too"),
    (["run", "--kernel", "file", "--entry", "32", "--snapshot", "x.core"],
     "32: no way to begin; give --entry real or 64"),
    (["run", *SEED, "--snapshot", "x.core", "--cpuid", "-pdpe2gb"],
     "--cpuid: unknown feature pdpe2gb; did you mean pdpe1gb?"),
    (["run", *SEED, "--snapshot", "x.core", "--cpuid", "nx"],
     "--cpuid: nx: not +NAME, -NAME or LEAF[.SUBLEAF]:REG.BIT=0|1; see inquest-vmm run --help"),
    (["run", *SEED, "--snapshot", "x.core", "--watchpoint", "0x1002:4"],
     "0x1002:4: not LINEAR[:1|2|4|8], aligned, or more than 4; give --watchpoint an address that is a multiple of LEN (8)"),
    (["run", *SEED, "--snapshot", "x.core", "--watchpoint", "0x1002:3"],
     "0x1002:3: not LINEAR[:1|2|4|8], aligned, or more than 4; give --watchpoint an address that is a multiple of LEN (8)"),
    (["resume"], "resume: a snapshot is needed; see inquest-vmm resume --help"),
    (["resume", "file", "more"], "more: not expected here; see inquest-vmm --help"),
    (["resume", "file", "--for", "x"], "--for x: not a number from 0 to 86400000; see inquest-vmm resume --help"),
    (["resume", "file", "--snapshot", "no/x.core"],
     "no/x.core: No such file or directory; give a file in a folder that exists"),
    (["draw", "--scenario", "smm-spin"], "draw: --scenario and --seed are needed; see inquest-vmm draw --help"),
    (["draw", *SEED, "--snapshot", "x.core"], "--snapshot: unknown option; see inquest-vmm --help"),
    (["draw", "--scenario", "smm-gate-written", "--seed", "1", "--vcpus", "1"],
     "smm-gate-written: needs 2 vCPUs; give --vcpus 2"),
    (["draw", "--scenario", "smm-spin", "--seed", "0x1ffffffffffffffff"],
     "--seed 0x1ffffffffffffffff: not a number from 0 to 18446744073709551615; see inquest-vmm draw --help"),
]


class Cli(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp())
        (self.dir / "sub").mkdir()
        (self.dir / "file").write_text("kept")

    def tearDown(self):
        left = sorted(p.name for p in self.dir.iterdir())
        self.assertEqual((self.dir / "file").read_text(), "kept")
        shutil.rmtree(self.dir)
        self.assertEqual(left, ["file", "sub"], "files were left behind")

    def run_vmm(self, *args, **more):
        done = subprocess.run([VMM, *args], cwd=self.dir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, **more)
        return done.returncode, done.stdout, done.stderr

    def test_wrong_use_is_one_line_and_exit_code_2(self):
        for args, line in WRONG:
            with self.subTest(args=args):
                code, out, err = self.run_vmm(*args)
                self.assertEqual((code, out, err), (2, "", f"inquest-vmm: {line}\n"))

    def test_help_teaches_by_example(self):
        for args in (["--help"], ["run", "--help"], ["run", "-h"], ["resume", "--help"], ["draw", "--help"], ["caps", "--help"]):
            code, out, err = self.run_vmm(*args)
            self.assertEqual((code, err), (0, ""))
            self.assertIn("\n  inquest-vmm ", out)
        self.assertRegex(self.run_vmm("--version")[1], r"^inquest-vmm \d+\.\d+\.\d+\n$")

    def test_what_is_no_snapshot_is_not_resumed(self):
        for name, why in (("none", "none: cannot open: No such file or directory"), ("sub", "sub: "),
                          ("file", "file: too short for a snapshot")):
            code, out, err = self.run_vmm("resume", name, "--snapshot", "x.core")
            self.assertEqual((code, out), (1, ""))
            self.assertIn(f"inquest-vmm: {why}", err)

    def test_every_scenario_has_a_line(self):
        code, out, _ = self.run_vmm("scenarios")
        self.assertEqual(code, 0)
        self.assertLessEqual(max(map(len, out.splitlines())), 80)
        words = [line.split(None, 3) for line in out.splitlines() if line[0] != " "]
        names = [w[0] for w in words]
        self.assertEqual(len(set(names)), len(names))
        for name in ("smm-spin", "hlt-if0", "healthy", "checksum", "smm-gate-open"):
            self.assertIn(name, names)
        for name, kind, machines, doc in words:
            self.assertIn(kind, ("fault", "fine", "near-miss"))
            self.assertIn(machines, ("svm", "vmx", "svm,vmx"))
            self.assertTrue(doc, name)

    def test_draw_tells_what_a_test_needs(self):
        code, out, err = self.run_vmm("draw", "--scenario", "smm-spin", "--seed", "7")
        self.assertEqual((code, err), (0, ""))
        drawn = dict(line.split("=", 1) for line in out.splitlines())
        for key in ("gate", "value", "insn", "loop_first", "loop_end", "smbase"):
            int(drawn[key], 16)
        self.assertIn(drawn["cpu"], ("0", "1"))
        self.assertRegex(drawn["exit"], r"^(value|\(value & 0x[0-9a-f]+\)) [!=]= 0x[0-9a-f]+$")
        self.assertEqual(self.run_vmm("draw", "--scenario", "smm-spin", "--seed", "7")[1], out)
        self.assertNotEqual(self.run_vmm("draw", "--scenario", "smm-spin", "--seed", "8")[1], out)

    def test_a_full_standard_output_is_noticed(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([VMM, "scenarios"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr),
                         (1, "inquest-vmm: standard output: No space left on device; make room\n"))

    def test_without_dev_kvm_it_says_so(self):
        """A folder with nothing but the program is a world without /dev/kvm."""
        if subprocess.run(["ldd", VMM], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            self.skipTest("a build with sanitizers needs libraries and /proc; the static one shows it")
        with tempfile.TemporaryDirectory() as world:
            shutil.copy(VMM, f"{world}/vmm")
            for args in (["caps"], ["run", *SEED, "--snapshot", "x.core"]):
                done = subprocess.run(["chroot", world, "/vmm", *args], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertEqual(done.stderr, "inquest-vmm: /dev/kvm: No such file or directory; load kvm-intel or "
                                              "kvm-amd, check the permissions, or use a testbed (./dev demo does)\n")
            self.assertEqual([f for f in os.listdir(world) if "core" in f], [], "a file was left behind")


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/python3
"""Small images on this machine's KVM: a multiboot kernel and flat binaries, how they begin and how they end.

usage: test_images.py INQUEST_VMM MULTIBOOT_KERNEL (exit code 77: there is no /dev/kvm)"""
import os, pathlib, subprocess, sys, tempfile, unittest

VMM, KERNEL = (str(pathlib.Path(a).resolve()) for a in (sys.argv.pop(1), sys.argv.pop(1)))


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


if __name__ == "__main__":
    if not os.path.exists("/dev/kvm"):
        sys.exit(77)
    unittest.main()

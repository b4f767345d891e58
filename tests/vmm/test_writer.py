#!/usr/bin/python3
"""The snapshot writer: a core of known contents, read back by a stranger's reader, readelf and gdb.

usage: test_writer.py FAKE_CORE"""
import pathlib, re, subprocess, sys, tempfile, unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import core  # noqa: E402

FAKE = sys.argv.pop(1)


def run(*argv):
    return subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)


class Writer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        cls.path = pathlib.Path(cls.tmp.name) / "fake.core"
        cls.done = run(FAKE, cls.path)
        cls.core = core.load(cls.path)

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def test_it_wrote_the_file_and_nothing_else(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        self.assertEqual([p.name for p in self.path.parent.iterdir()], ["fake.core"])

    def test_notes_come_in_their_order(self):
        vcpu = ["regs", "sregs2", "debugregs", "msrs", "trace", "steps", "step_regs", "guest_debug"]
        vm = ["tables", "writes", "words@2"]
        self.assertEqual(self.core.order, ["CORE"] * 2 + ["header", "host"] + vcpu * 2 + vm + ["flight"] * 2 + ["slots", "smram", "zero"])

    def test_absent_and_failed_are_kept_apart(self):
        self.assertEqual(self.core.states["sregs2", 1], (1, 0))
        self.assertEqual(self.core.states["debugregs", 0], (2, 22))
        self.assertEqual(self.core.states["regs", 0], (0, 0))
        self.assertEqual(self.core.notes["regs", 1], bytes(range(144)))

    def test_memory_lies_where_it_should(self):
        c = self.core
        self.assertEqual([(g, n) for g, n, _ in c.loads], [(0, 0xA0000), (0xC0000, 0xF40000)])
        self.assertEqual(c.phys(0x5000, 4096), b"\xab" * 4096)
        self.assertEqual(c.phys(0x9FFFF, 1) + c.phys(0x100000, 1) + c.phys(0xFFFFFF, 1), b"\1\2\3")
        self.assertEqual(c.phys(0x200000, 0x10000), b"\xcd" * 0x10000)

    def test_pages_that_hold_something_are_counted_right(self):
        self.assertEqual(self.core.zero_pages, 0xA0 + 0xF40 - (1 + 1 + 1 + 1 + 1 + 16))
        self.assertEqual(int(self.done.stdout.split()[0]), self.core.zero_pages)

    def test_zero_pages_take_no_room(self):
        self.assertLess(self.path.stat().st_blocks * 512, 1 << 20)
        self.assertGreater(self.path.stat().st_size, 15 << 20)

    def test_smram_is_apart_from_ram(self):
        c = self.core
        self.assertEqual(sorted(c.smram), [0x408000, 0xA00000])
        self.assertEqual(c.phys(0x408000, 4, smm=True), b"\x51" * 4)
        self.assertEqual(c.phys(0xA0FFFF, 1, smm=True), b"\x52")
        self.assertEqual(c.phys(0x408000, 4), bytes(4))

    def test_address_space_1_covers_what_address_space_0_covers(self):
        def pieces(space):
            got = []
            for _, _, _, _, gpa, n, _ in sorted((s for s in self.core.slots if s[0] == space), key=lambda s: s[4]):
                if got and got[-1][1] == gpa:
                    got[-1][1] = gpa + n
                else:
                    got.append([gpa, gpa + n])
            return got
        self.assertEqual(pieces(1), pieces(0))
        self.assertEqual(pieces(0), [[0, 0xA0000], [0xC0000, 0x1000000]])
        for space in (0, 1):
            numbers = [s[1] for s in self.core.slots if s[0] == space]
            self.assertEqual(numbers, list(range(len(numbers))))

    def test_a_flipped_byte_of_headers_or_notes_is_noticed(self):
        data = bytearray(self.core.bytes[:])
        end = self.core.notes_off + self.core.notes_bytes
        for at in list(range(0, self.core.headers_end)) + list(range(self.core.notes_off, end, 3)):
            data[at] ^= 0x10
            with self.assertRaises((core.Bad, KeyError, IndexError), msg=f"byte 0x{at:x}"):
                core.Core(data, headers_only=True)
            data[at] ^= 0x10
        core.Core(data, headers_only=True)

    def test_the_flight_record_holds_the_newest_in_their_order(self):
        few, many = self.core.flight[0], self.core.flight[1]
        self.assertEqual([r["reason"] for r in few], [0x1000, 0x1001, 0x1002])
        self.assertEqual((many[0]["nr"], many[-1]["nr"], len(many)), (5, 4096 + 4, 4096))
        self.assertTrue(all(r["reason"] == 0x1000 + r["nr"] and r["what"] == 2 for r in many))

    def test_readelf_lists_all_notes(self):
        out = run("readelf", "-nW", self.path)
        self.assertEqual(out.stderr, "")
        self.assertEqual(len(re.findall(r"^ +CORE +0x00000150\s+NT_PRSTATUS", out.stdout, re.M)), 2)
        self.assertEqual(len(re.findall(r"^ +INQUEST +0x", out.stdout, re.M)), len(self.core.order) - 2)

    def test_gdb_shows_every_vcpu(self):
        out = run("gdb", "-nx", "-batch", "-ex", "info threads", "-ex", "thread 2", "-ex", "p/x $rip", "-c", self.path)
        self.assertEqual(len(re.findall(r"^[* ] \d+ +LWP \d", out.stdout, re.M)), 2, out.stdout + out.stderr)
        self.assertIn("= 0x1001", out.stdout)

    def with_views(self, nr):
        path = self.path.with_name(f"views{nr}.core")
        self.addCleanup(path.unlink)
        done = run(FAKE, path, nr)
        self.assertEqual(done.returncode, 0, done.stderr)
        return path, core.load(path)

    def test_linear_addresses_lie_behind_the_memory_that_they_show(self):
        path, c = self.with_views(3)
        base = 0xFFFF888000000000
        self.assertEqual(c.views, [(base + 0x2000 * i, 0x200000 + 0x1000 * i, 0x1000) for i in range(3)])
        self.assertEqual([(g, n) for g, n, _ in c.loads], [(g, n) for g, n, _ in self.core.loads])
        out = run("gdb", "-nx", "-batch", "-ex", f"x/1xg {base + 0x2000:#x}", "-ex", "x/1xg 0x5000", "-c", path)
        self.assertIn("0xffff888000002000:\t0xcdcdcdcdcdcdcdcd", out.stdout, out.stderr)
        self.assertIn("0x5000:\t0xabababababababab", out.stdout, out.stderr)

    def test_more_views_than_an_elf_header_counts(self):
        path, c = self.with_views(70000)
        self.assertEqual(len(c.views), 70000)
        out = run("readelf", "-lW", path)
        self.assertEqual(len(re.findall(r"^  LOAD ", out.stdout, re.M)), 70000 + len(c.loads), out.stderr)


if __name__ == "__main__":
    unittest.main()

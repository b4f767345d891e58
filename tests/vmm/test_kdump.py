#!/usr/bin/python3
"""The compressed dump: libkdumpfile finds every page in it, and our notes and what they point to are there.

usage: test_kdump.py FAKE_CORE"""
import os, pathlib, struct, subprocess, sys, tempfile, unittest, zlib

try:
    import kdumpfile  # Debian's: python3-libkdumpfile
except ImportError:
    if sys.executable == "/usr/bin/python3":
        raise
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import core  # noqa: E402

FAKE = sys.argv.pop(1)
PAGE = 4096


class Kdump:
    """Header and notes, by makedumpfile's definition."""

    def __init__(self, path):
        self.bytes = path.read_bytes()
        self.sub_blocks, self.bitmap_blocks, self.max_mapnr = struct.unpack_from("<iII", self.bytes, 432)
        self.notes_off, self.notes_bytes = struct.unpack_from("<QQ", self.bytes, PAGE + 48)
        c = self.core = core.Core.__new__(core.Core)
        c.bytes, c.notes_off, c.notes_bytes = self.bytes, self.notes_off, self.notes_bytes
        c.read_notes()
        self.descs = PAGE * (1 + self.sub_blocks + self.bitmap_blocks)

    def desc(self, i):
        """offset, bytes, flags"""
        return struct.unpack_from("<QII", self.bytes, self.descs + 24 * i)


class Reader(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        tmp = pathlib.Path(cls.tmp.name)
        cls.path = {}
        for f in ("elf", "kdump-zlib", "kdump-zstd"):
            cls.path[f] = tmp / f
            cls.done = subprocess.run([FAKE, cls.path[f], "0", f], stdout=subprocess.PIPE, text=True, check=True)
        cls.elf = core.load(cls.path["elf"])
        cls.dumps = {f: Kdump(p) for f, p in cls.path.items() if f != "elf"}

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def test_libkdumpfile_reads_every_page(self):
        for name in self.dumps:
            k = kdumpfile.kdumpfile(str(self.path[name]))
            self.assertEqual(k.attr["file.description"], "Compressed KDUMP")
            self.assertEqual((k.attr["arch.page_size"], k.attr["max_pfn"]), (PAGE, 0x1000))
            for gpa, n, _ in self.elf.loads:
                for at in range(gpa, gpa + n, PAGE):
                    self.assertEqual(k.read(kdumpfile.KDUMP_MACHPHYSADDR, at, PAGE), self.elf.phys(at, PAGE), f"{name} 0x{at:x}")
            with self.assertRaises(kdumpfile.exceptions.NoDataException):
                k.read(kdumpfile.KDUMP_MACHPHYSADDR, 0xA0000, PAGE)  # no memory

    def test_zero_pages_share_one(self):
        pages = sum(n for _, n, _ in self.elf.loads) // PAGE
        for name, d in self.dumps.items():
            descs = [d.desc(i) for i in range(pages)]
            most = max(set(descs), key=descs.count)
            self.assertEqual(descs.count(most), self.elf.zero_pages)
            self.assertEqual(d.bytes[most[0]:most[0] + PAGE], bytes(PAGE))
            flags = {flags for _, n, flags in descs if n < PAGE}
            self.assertEqual(flags, {1 if name == "kdump-zlib" else 0x20})
            self.assertEqual(len([1 for _, n, fl in descs if (n, fl) == (PAGE, 0)]), self.elf.zero_pages + 1)  # one that is noise
            self.assertLess(len(d.bytes), 1 << 20)

    def test_our_notes_are_the_same(self):
        for d in self.dumps.values():
            c = d.core
            self.assertEqual(c.order, [k for k in self.elf.order if k != "zero"])
            self.assertEqual(c.prstatus, self.elf.prstatus)
            for key, payload in self.elf.notes.items():
                if key[0] not in ("header", "slots", "smram", "zero", "flight"):  # those tell places in the file
                    self.assertEqual(c.notes[key], payload, key)

    def test_header_and_bulk(self):
        for d in self.dumps.values():
            raw = d.core.notes["header", core.VM]
            memory, size, bulk_off, bulk_bytes = struct.unpack_from("<QQQQ", raw, 40)
            self.assertEqual((memory, size), (sum(n for _, n, _ in self.elf.loads), len(d.bytes)))
            for gpa, off, n, crc in d.core.bulk_of("smram"):
                self.assertTrue(bulk_off <= off and off + n <= bulk_off + bulk_bytes)
                self.assertEqual(zlib.crc32(d.bytes[off:off + n]), crc)
                self.assertEqual(d.bytes[off:off + n], self.elf.phys(gpa, n, smm=True))
            notes = bytearray(d.bytes[d.notes_off:d.notes_off + d.notes_bytes])
            at = d.core.payload_at["header", core.VM] - d.notes_off + 88
            want, headers = struct.unpack_from("<II", notes, at)
            notes[at:at + 4] = bytes(4)
            self.assertEqual(want, zlib.crc32(notes))
            self.assertEqual(headers, zlib.crc32(d.bytes[:PAGE + 104]))

    def test_ram_has_no_place_of_its_own(self):
        for d in self.dumps.values():
            slots = [struct.unpack_from("<IIIIQQQ", d.core.notes["slots", core.VM], at) for at in range(0, len(d.core.notes["slots", core.VM]), 40)]
            self.assertEqual([s[:6] for s in slots], [s[:6] for s in self.elf.slots])
            smram = {off: n for _, off, n, _ in d.core.bulk_of("smram")}
            self.assertTrue(all(s[6] == 0 or s[6] in smram for s in slots))


if __name__ == "__main__":
    unittest.main()

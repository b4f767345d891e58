"""A reader of snapshots, written from docs/snapshot-format.md alone, that checks every promise in it."""
import mmap, struct, zlib

NOTE_TYPE, MAGIC, PAGE = 0x494E5100, 0x3150414E53514E49, 4096
KINDS = {1: "header", 2: "host", 3: "regs", 4: "sregs2", 5: "sregs", 6: "debugregs", 7: "lapic", 8: "events",
         9: "mp_state", 10: "msrs", 11: "cpuid2", 12: "run", 13: "slots", 14: "smram", 15: "zero", 16: "xsave",
         17: "xcrs", 18: "nested", 19: "tsc", 20: "stats", 21: "pic1", 22: "pic2", 23: "ioapic", 24: "pit2", 25: "clock", 26: "devices", 27: "tables",
         32: "flight", 33: "rips", 34: "last_known", 35: "roots", 36: "trace", 37: "writes", 38: "steps", 39: "words",
         42: "guest_debug", 43: "step_regs"}
SIZES = {"regs": 144, "sregs2": 320, "sregs": 312, "debugregs": 128, "lapic": 1024, "events": 64, "mp_state": 4,
         "xcrs": 392, "tsc": 16, "pic1": 520, "pic2": 520, "ioapic": 520, "pit2": 112, "clock": 48, "roots": 72, "guest_debug": 72}
VM = 0xFFFFFFFF


class Bad(Exception):
    pass


def need(ok, what):
    if not ok:
        raise Bad(what)


def up(n, to):
    return (n + to - 1) // to * to


ZERO = bytes(PAGE)


def load(path):
    with open(path, "rb") as f:
        return Core(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ))


class Core:
    def __init__(self, data, headers_only=False):
        self.bytes = data
        self.read_elf()
        self.read_notes()
        self.read_header()
        if headers_only:
            return
        self.check_bulk()
        self.check_rings()
        self.check_zero_pages()
        self.check_slots()

    def at(self, off, n):
        need(off + n <= len(self.bytes), f"0x{off:x}+0x{n:x} lies behind the end")
        return self.bytes[off:off + n]

    def read_elf(self):
        e = struct.unpack("<16sHHIQQQIHHHHHH", self.at(0, 64))
        need(e[0][:7] == b"\x7fELF\x02\x01\x01" and e[1:4] == (4, 62, 1), "not an x86-64 core")
        need(e[5] == 64 and e[8] == 64 and e[9] == 56, "e_phoff, e_ehsize, e_phentsize")
        nr = e[10]
        if nr == 0xFFFF:  # PN_XNUM: the number lies in the only section header
            need(e[11:13] == (64, 1), "e_shentsize, e_shnum")
            nr = struct.unpack("<I", self.at(e[6] + 44, 4))[0]
            need(nr >= 0xFFFF and e[6] == 64 + 56 * nr, "PN_XNUM without need, or its section header elsewhere")
        ph = [struct.unpack("<IIQQQQQQ", self.at(64 + 56 * i, 56)) for i in range(nr)]
        need(len(ph) >= 2 and ph[0][0] == 4 and all(p[0] == 1 for p in ph[1:]), "PT_NOTE first, then PT_LOADs")
        need(all(p[7] == 0 for p in ph), "p_align is 0")
        need(all(p[5] == p[6] for p in ph[1:]), "p_filesz == p_memsz")
        flat = [p for p in ph[1:] if p[3] == p[4]]
        need(ph[1:1 + len(flat)] == flat, "memory first, then the same at linear addresses")
        need(all(p[i] % PAGE == 0 for p in ph[1:] for i in (2, 4, 5)), "memory is not in whole pages")
        self.headers_end = 64 + 56 * len(ph)
        self.notes_off, self.notes_bytes = ph[0][2], ph[0][5]
        need(self.headers_end + (64 if nr >= 0xFFFF else 0) <= self.notes_off and self.notes_bytes <= 4 << 20, "notes")
        self.loads = [(p[4], p[5], p[2]) for p in flat]  # gpa, bytes, file offset
        self.views = [(p[3], p[4], p[5]) for p in ph[1 + len(flat):]]  # va, gpa, bytes
        need(self.views == sorted(self.views), "views are not in order")
        need(all(v + n <= w for (v, _, n), (w, _, _) in zip(self.views, self.views[1:])), "views overlap")
        for _, gpa, n, off in [(p[3], p[4], p[5], p[2]) for p in ph[1 + len(flat):]]:
            need(any(g <= gpa and gpa + n <= g + b and off == o + gpa - g for g, b, o in self.loads),
                 f"a view of 0x{gpa:x} that is no memory")
        need(self.loads == sorted(self.loads), "PT_LOADs are not in order")
        need(self.loads[0][2] >= self.notes_off + self.notes_bytes, "notes before memory")

    def read_notes(self):
        """self.order: ("CORE", ...) or kind; self.notes[kind, vcpu] = payload, or None; self.errors likewise."""
        at, end = self.notes_off, self.notes_off + self.notes_bytes
        self.order, self.notes, self.states, self.payload_at, self.prstatus, self.foreign = [], {}, {}, {}, [], []
        while at < end:
            namesz, descsz, kind = struct.unpack("<III", self.at(at, 12))
            name = self.at(at + 12, namesz)
            desc = at + 12 + up(namesz, 4)
            at = desc + up(descsz, 4)
            need(at <= end, "a note runs out of the segment")
            if name == b"CORE\0":
                need(kind == 1 and descsz == 336, "NT_PRSTATUS")
                self.prstatus.append(self.at(desc, 336))
                self.order.append("CORE")
                continue
            if name in (b"QEMU\0", b"VMCOREINFO\0"):
                need(kind == 0, "type of another's note")
                self.foreign.append((name[:-1].decode(), self.at(desc, descsz)))
                self.order.append(name[:-1].decode())
                continue
            need(name == b"INQUEST\0" and kind & ~0xFF == NOTE_TYPE, f"unknown note {name}")
            vcpu, sample, k, version, state, error, size = struct.unpack("<IIHHHHQ", self.at(desc, 24))
            need(k == kind & 0xFF and k in KINDS and version == 1 and sample in (0, 1, 2), "note header")
            need((KINDS[k] == "last_known") <= (sample == 1), "sample of last_known")
            need((KINDS[k] == "words") <= (sample == 2), "sample of words")
            need(sample != 2 or KINDS[k] in ("rips", "regs", "sregs", "events", "lapic", "mp_state", "words"), "kind in sample 2")
            need(size + 24 <= descsz, "payload longer than its note")
            need(state == 0 or size == 0, "payload of what is not there")
            need((error != 0) == (state == 2), "errno and state")
            key = KINDS[k] + (f"@{sample}" if sample else ""), vcpu
            need(key not in self.notes, f"{key} twice")
            self.order.append(key[0])
            self.payload_at[key] = desc + 24
            self.states[key] = state, error
            self.notes[key] = self.at(desc + 24, size) if state == 0 else None
            if state == 0 and KINDS[k] in SIZES:
                need(size == SIZES[KINDS[k]], f"{key}: {size} bytes")
        need(at == end, "notes end in between")

    def check_foreign(self):
        """QEMU's notes say of the registers what the CORE notes do; a VMCOREINFO is such a text."""
        names, n = [name for name, _ in self.foreign], len(self.prstatus)
        need(names in ([], ["QEMU"] * n, ["QEMU"] * n + ["VMCOREINFO"]), f"others' notes {names}")
        need(self.order[n:n + len(names)] == names, "others' notes behind the CORE notes")
        for (name, d), p in zip(self.foreign, self.prstatus):
            need(struct.unpack_from("<II", d) in ((1, 440), (1, 432)) and len(d) == struct.unpack_from("<II", d)[1], "QEMU note")
            rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, *r = struct.unpack_from("<18Q", d, 8)
            core = struct.unpack_from("<21Q", p, 112)
            need((*r[7::-1], rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, *r[8:]) ==
                 (*core[:4], *core[6:10], *core[10:11], core[5], *core[11:15], core[19], core[4], core[16], core[18]), "QEMU registers")
        if "VMCOREINFO" in names:
            text = self.foreign[-1][1]
            need(text.startswith(b"OSRELEASE=") and text.endswith(b"\n") and b"\0" not in text, "VMCOREINFO")

    def read_header(self):
        self.check_foreign()
        need("header" in self.order and self.order[:self.order.index("header")].count("CORE") ==
             len(self.prstatus), "CORE notes first, then the header")
        raw = self.notes["header", VM]
        (magic, self.major, self.minor, self.nr_vcpus, self.reason, self.reason_vcpu, self.t_real, self.t_mono,
         memory, size, bulk_off, bulk_bytes, self.nonce, notes_crc, headers_crc, producer, text) = struct.unpack(
            "<QHHIIIQQQQQQ16sII64s128s", raw)
        need(magic == MAGIC and self.major == 1, "magic, version")
        need(size == len(self.bytes), f"file_bytes {size}, the file has {len(self.bytes)}")
        need(memory == sum(n for _, n, _ in self.loads), "memory_bytes")
        gpa, n, off = self.loads[-1]
        need(bulk_off >= off + n and bulk_off + bulk_bytes == size, "bulk region is the file's end")
        self.bulk = bulk_off, bulk_bytes
        self.producer, self.reason_text = (t.rstrip(b"\0").decode() for t in (producer, text))
        need(headers_crc == zlib.crc32(self.at(0, self.headers_end)), "headers_crc")
        field = self.payload_at["header", VM] - self.notes_off + 88
        notes = bytearray(self.at(self.notes_off, self.notes_bytes))
        notes[field:field + 4] = bytes(4)
        need(notes_crc == zlib.crc32(notes), "notes_crc")
        for i in range(self.nr_vcpus):
            need(struct.unpack_from("<I", self.prstatus[i], 32)[0] == i + 1, "pr_pid")

    def bulk_of(self, kind):
        return [struct.unpack_from("<QQQII", self.notes[kind, VM], i)[:4]
                for i in range(0, len(self.notes[kind, VM] or b""), 32)]

    def check_bulk(self):
        self.smram = {}
        for kind in ("smram", "zero"):
            for gpa, off, n, crc in self.bulk_of(kind):
                need(self.bulk[0] <= off and off + n <= sum(self.bulk), f"{kind} outside the bulk region")
                need(zlib.crc32(self.at(off, n)) == crc, f"{kind} at 0x{gpa:x}: checksum")
                if kind == "smram":
                    self.smram[gpa] = self.at(off, n)
                else:
                    self.bitmap = self.at(off, n)

    def check_rings(self):
        """self.flight[vcpu] = records in order, each a dict."""
        names = "nr t_ns rip addr value reason what flags size items error pad".split()
        self.flight = {}
        for (kind, vcpu), raw in self.notes.items():
            if kind != "flight":
                continue
            off, n, first, count, size, crc, pad = struct.unpack("<QQQIIII", raw)
            need(size >= 64 and n == count * size and not pad, "flight: sizes")
            need(self.bulk[0] <= off and off + n <= sum(self.bulk), "flight outside the bulk region")
            data = self.at(off, n)
            need(zlib.crc32(data) == crc, "flight: checksum")
            records = [dict(zip(names, struct.unpack_from("<QQQQQIHHIIiI", data, i * size))) for i in range(count)]
            need([r["nr"] for r in records] == list(range(first, first + count)), "flight: numbers")
            need(all(a["t_ns"] <= b["t_ns"] for a, b in zip(records, records[1:])), "flight: time goes on")
            need(all(r["what"] in (1, 2) and not r["pad"] for r in records), "flight: what")
            self.flight[vcpu] = records

    def rips(self, vcpu):
        """[(t_ns, rip, flags)]"""
        return [(t, rip, flags) for t, rip, flags, _ in struct.iter_unpack("<QQII", self.notes.get(("rips", vcpu), b""))]

    def roots(self, vcpu):
        """What is known of its page-table roots, as a dict."""
        flags, levels, cr3, *rest = struct.unpack("<IIQ7Q", self.notes["roots", vcpu])
        known = {"cr3": (1, cr3), "levels": (1, levels), "pdptr": (2, tuple(rest[:4])), "nested": (16, rest[4]),
                 "outer_cr3": (8, rest[5]), "smm_cr3": (128, rest[6])}
        need(flags & 1 and flags < 256 and levels in (0, 2, 3, 4, 5), "roots: flags, levels")
        need(all(flags & bit or v in (0, (0,) * 4) for bit, v in known.values()), "roots: unknown is written as 0")
        need(not flags & 24 or flags & 4, "roots: of a hypervisor without a guest")
        need(not flags & 128 or flags & 64, "roots: of an SMI outside SMM")
        return {k: v for k, (bit, v) in known.items() if flags & bit}

    def steps(self, vcpu):
        """[(rip, smm, bytes)]"""
        raw = self.notes.get(("steps", vcpu), b"")
        need(len(raw) % 32 == 0, "steps")
        steps = list(struct.iter_unpack("<QII16s", raw))
        need(all(n <= 15 and not any(b[n:]) and f & ~4 == 3 for _, f, n, b in steps), "steps: bytes, flags")
        return [(rip, bool(f & 4), b[:n]) for rip, f, n, b in steps]

    def step_regs(self, vcpu):
        """[None where KVM did not tell, or a dict of registers and code segment]"""
        raw = self.notes.get(("step_regs", vcpu), b"")
        need(len(raw) % 184 == 0 and len(raw) // 184 == len(self.steps(vcpu)), "step_regs: one for each step")
        names = ("rax rbx rcx rdx rsi rdi rsp rbp r8 r9 r10 r11 r12 r13 r14 r15 rflags cr0 cr3 cr4 efer cs_base flags").split()
        all_ = [dict(zip(names, r)) for r in struct.iter_unpack("<22QI4x", raw)]
        need(all(r["flags"] < 8 and (r["flags"] & 1 or not any(r.values())) for r in all_), "step_regs: flags")
        return [r if r["flags"] & 1 else None for r in all_]

    def twin(self):
        """(t_ns, {vcpu: t_ns of its part}, {gpa: bytes of a word}), or None: no sampler ran for long enough."""
        raw = self.notes.get(("words@2", VM))
        if raw is None:
            return None
        t, count, pad = struct.unpack_from("<QII", raw)
        at, words = 16 + 16 * count, {}
        for gpa, n in struct.iter_unpack("<QQ", raw[16:at]):
            words[gpa] = raw[at:at + n]
            at += n
        need(at == len(raw) and not pad, "words")
        parts = {v: raw for (kind, v), raw in self.notes.items() if kind == "rips@2"}
        need(all(len(r) == 24 for r in parts.values()), "rips of the twin")
        return t, {v: struct.unpack_from("<Q", r)[0] for v, r in parts.items()}, words

    def writes(self):
        """(watched ranges, records as dicts), or None: nothing was watched."""
        raw = self.notes.get(("writes", VM))
        if raw is None:
            return None
        first, count, size, nr, pad = struct.unpack_from("<QIIII", raw)
        need(size >= 208 and not pad and len(raw) == 24 + 16 * nr + count * size, "writes: sizes")
        ranges = [struct.unpack_from("<QQ", raw, 24 + 16 * i) for i in range(nr)]
        names = "nr t_ns gpa old value rip".split()
        records = []
        for i in range(count):
            v = struct.unpack_from("<6Q16Q2Q4I", raw, 24 + 16 * nr + i * size)
            r = dict(zip(names, v)) | {"gpr": v[6:22], "rflags": v[22], "cr3": v[23], "vcpu": v[24], "size": v[25], "flags": v[26]}
            device = bool(r["flags"] & 2048)
            need(r["nr"] == first + i and 1 <= r["size"] and (device or r["size"] <= 8) and not v[27], "writes: record")
            need(r["vcpu"] == VM if device else r["vcpu"] < self.nr_vcpus, "writes: who")
            need(r["flags"] & 256 or any(r["gpa"] < g + n and g < r["gpa"] + r["size"] for g, n in ranges), "writes: nobody watches that")
            records.append(r)
        return ranges, records

    def check_zero_pages(self):
        """The bitmap says of each page whether it was zero, no more and no less."""
        page = self.zero_pages = 0
        for _, n, off in self.loads:
            for at in range(off, off + n, PAGE):
                zero = self.bytes[at:at + PAGE] == ZERO
                need(zero == bool(self.bitmap[page // 8] >> (page % 8) & 1), f"zero bit of page {page}")
                self.zero_pages += zero
                page += 1
        need(len(self.bitmap) == (page + 7) // 8, "length of the zero bitmap")

    def check_slots(self):
        raw = self.notes.get(("slots", VM), b"")  # of a guest captured from QEMU nobody knows them
        self.slots = [struct.unpack_from("<IIIIQQQ", raw, i) for i in range(0, len(raw), 40)]
        for space, slot, flags, pad, gpa, n, off in self.slots:
            need(space in (0, 1) and not pad and n, "slot")
            if gpa in self.smram and space == 1:
                need(self.at(off, n) == self.smram[gpa], f"slot of SMRAM 0x{gpa:x}")
            else:
                need(self.offset(gpa, n) == off, f"slot at 0x{gpa:x}")

    def phys(self, gpa, n, smm=False):
        """Guest-physical bytes as seen outside or inside SMM."""
        for base, data in self.smram.items() if smm else ():
            if base <= gpa and gpa + n <= base + len(data):
                return data[gpa - base:gpa - base + n]
        return self.at(self.offset(gpa, n), n)

    def offset(self, gpa, n):
        """Where in the file."""
        for base, size, off in self.loads:
            if base <= gpa and gpa + n <= base + size:
                return off + gpa - base
        raise Bad(f"no memory at 0x{gpa:x}")

    def msr(self, vcpu, index):
        """The value, or None when KVM refused it or does not know it."""
        for i, reserved, data in struct.iter_unpack("<IIQ", self.notes["msrs", vcpu]):
            if i == index:
                return None if reserved else data
        return None

    def regs(self, vcpu):
        names = "rax rbx rcx rdx rsi rdi rsp rbp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags".split()
        return dict(zip(names, struct.unpack("<18Q", self.notes["regs", vcpu])))

#!/usr/bin/python3
"""inquest capture against a server that plays QEMU: whatever fails, the guest goes on as it was, and no file is left.

usage: test_talk.py INQUEST MAKE_DUMP"""
import array, json, os, pathlib, socket, subprocess, sys, tempfile, threading

INQUEST, MAKE_DUMP = sys.argv[1:3]
STREAM = """file
qemu pc-i440fx-7.2
ram pc.ram=0x3000
pages end
page pc.ram 0 raw 11*4096
page - 0x1000 zero
page - 0x2000 raw 33*4096
eos
device cpu_common 0 halted:uint32=0 interrupt_request:uint32=0
device cpu 0 env.efer:uint64=0x500 env.smbase:uint32=0x30000
described
"""
PARAMETERS = {"max-bandwidth": 1234}


class Qemu(threading.Thread):
    """One connection.  refuse: that command; stream: what migrate writes; end: how that ends; hang_up: at that command."""

    def __init__(self, path, stream, running=True, refuse=None, end="completed", hang_up=None, on=("multifd",)):
        super().__init__(daemon=True)
        self.stream, self.running, self.refuse, self.end, self.hang_up = stream, running, refuse, end, hang_up
        self.asked, self.capabilities, self.parameters = [], {n: n in on for n in ("xbzrle", "multifd", "events")}, dict(PARAMETERS)
        self.was_running, self.status, self.fd = running, "none", None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.start()

    def run(self):
        talk, _ = self.listener.accept()
        talk.sendall(b'{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 22}}, "capabilities": []}}\r\n')
        rest = b""
        while True:
            data, control, _, _ = talk.recvmsg(4096, socket.CMSG_LEN(4))
            for _, _, fds in control:
                self.fd = array.array("i", fds)[0]
            if not data:
                return
            rest += data
            while b"\n" in rest:
                line, rest = rest.split(b"\n", 1)
                if not self.answer(talk, json.loads(line)):
                    return

    def answer(self, talk, ask):
        name, args = ask["execute"], ask.get("arguments", {})
        self.asked.append(name)
        if name == self.hang_up:
            talk.close()
            return False
        talk.sendall(b'{"event": "NOTHING", "data": {"return": 1}}\r\n')
        if name == self.refuse:
            self.refuse = None
            talk.sendall(b'{"error": {"class": "GenericError", "desc": "not today"}}\r\n')
            return True
        talk.sendall(json.dumps({"return": self.do(name, args)}).encode() + b"\r\n")
        return True

    def do(self, name, args):
        if name in ("stop", "cont"):
            self.running = name == "cont"
        elif name == "query-status":
            return {"running": self.running, "status": "running" if self.running else "paused"}
        elif name == "query-migrate-capabilities":
            return [{"capability": k, "state": v} for k, v in self.capabilities.items()]
        elif name == "query-migrate-parameters":
            return self.parameters
        elif name == "migrate-set-capabilities":
            self.capabilities |= {c["capability"]: c["state"] for c in args["capabilities"]}
        elif name == "migrate-set-parameters":
            self.parameters |= args
        elif name == "migrate":
            self.wanted = dict(self.capabilities)
            self.status = self.end
            threading.Thread(target=self.write, args=[self.fd], daemon=True).start()
        elif name == "migrate_cancel":
            self.status = "cancelled"
        elif name == "query-migrate":
            return {"status": self.status, **({"error-desc": "the disk is full"} if self.status == "failed" else {})}
        return {}

    def write(self, fd):
        with os.fdopen(fd, "wb") as f:
            f.write(self.stream)


def run(folder, qmp, *options):
    return subprocess.run([INQUEST, "capture", "--qmp", qmp, "-o", folder / "out.core", *options], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


def case(name, want_exit, want_text, want_running, options=(), **how):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        q = Qemu(folder / "q", how.pop("stream", stream), **how)
        done = run(folder, folder / "q", *options)
        left = sorted(p.name for p in folder.iterdir())
        before = {"xbzrle": False, "events": False, "multifd": "multifd" in how.get("on", ("multifd",))}
        wrong = [what for what, ok in (
            (f"exit {done.returncode}", done.returncode == want_exit), ("text", want_text in done.stdout),
            (f"running {q.running}", q.running == want_running), (f"files {left}", left == (["out.core", "q"] if want_exit == 0 else ["q"])),
            ("capabilities", q.capabilities == before or (want_exit == 0 and not options) or how.get("hang_up")),
            ("bandwidth", q.parameters == PARAMETERS or (want_exit == 0 and not options) or how.get("hang_up")),
            ("multifd while it migrates", not getattr(q, "wanted", {}).get("multifd"))) if not ok]
        print("ok" if not wrong else "BAD", name, *wrong)
        if wrong:
            print(done.stdout, q.asked)
        if want_exit == 0 and not wrong:
            rows = subprocess.run([INQUEST, "sql", "--json", folder / "out.core", "SELECT name, value FROM reg WHERE name = 'smbase'"],
                                  stdout=subprocess.PIPE, text=True, check=True).stdout
            if '"value":196608' not in rows.replace(" ", ""):
                print("BAD", name, rows)
                return 1
        return len(wrong)


with tempfile.TemporaryDirectory() as folder:
    text = pathlib.Path(folder) / "stream.txt"
    text.write_text(STREAM)
    subprocess.run([MAKE_DUMP, text, text.with_suffix(".bin")], check=True)
    stream = text.with_suffix(".bin").read_bytes()

bad = case("taken, and the guest runs again", 0, "runs again", True, ["--resume"])
bad += case("taken, and the guest stands still", 0, "stands still", False)
bad += case("a guest that stood still is left so", 0, "stands still", False, ["--resume"], running=False)
for name in ("stop", "query-migrate-capabilities", "migrate-set-capabilities", "query-migrate-parameters", "migrate-set-parameters",
             "getfd", "migrate"):
    bad += case(f"QEMU refuses {name}", 2, f"QEMU refuses {name}: not today", True, refuse=name)
bad += case("the migration fails", 2, "QEMU's migration failed: the disk is full", True, end="failed", stream=stream[:4096])
bad += case("the stream ends early", 2, "% of memory is missing: the file ends at", True, stream=stream[:6000])
bad += case("no stream at all", 2, "out.core", True, stream=b"")
bad += case("the stream is something else", 2, "not a dump", True, stream=b"dear aunt")
bad += case("QEMU goes away", 2, "QEMU closed the socket", False, hang_up="migrate")
sys.exit(bad != 0)

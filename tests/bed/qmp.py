"""QEMU's machine protocol: one request, one answer, events between them dropped."""
import json, socket, time

from kernel import BedError

CONNECT_SECONDS = 20


class Qmp:
    def __init__(self, path):
        self.talk = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + CONNECT_SECONDS
        while True:
            try:
                self.talk.connect(str(path))
                break
            except OSError as e:
                if time.monotonic() > end:
                    raise BedError(f"QEMU: {path}: {e.strerror}") from e
                time.sleep(0.1)
        self.lines = self.talk.makefile("r")
        self.lines.readline()
        self.ask("qmp_capabilities")

    def ask(self, what, **arguments):
        """What it returns; a refusal is a BedError."""
        self.talk.sendall(json.dumps({"execute": what, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = json.loads(self.lines.readline() or '{"error": {"desc": "QEMU ended"}}')
            if "error" in answer:
                raise BedError(f"QEMU: {what}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def monitor(self, line):
        """Of the monitor for people, the text."""
        return self.ask("human-monitor-command", **{"command-line": line})

    def close(self):
        self.lines.close()
        self.talk.close()

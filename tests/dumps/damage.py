"""A dump that is cut, that is still being written, that shrinks while it is read: what is left is used, what is lost is said."""
import os, threading

EIGHTHS = 8
STEP = 4 << 20


def said(report):
    """What the report says is lost of the file itself."""
    return [g["message"] for g in report["gaps"] if g["tbl"] == "dump"]


def cut(reader, path, size):
    """Shorter and shorter; where the file ends is named, or how much is missing."""
    for n in range(EIGHTHS - 1, 0, -1):
        end = size * n // EIGHTHS
        os.truncate(path, end)
        lost = said(reader.report(path))
        yield f"cut to 0x{end:x}, it says {lost}", any(f"ends at 0x{end:x}" in m or " missing" in m for m in lost)


def grow(path, data, done):
    with open(path, "ab") as f:
        for at in range(0, len(data), STEP):
            f.write(data[at:at + STEP])
            f.flush()
    done.set()


def shrink(path, sizes, done):
    for size in sizes:
        os.truncate(path, size)
    done.set()


def meanwhile(reader, path, work, *args):
    """Reports while a thread works on the file: each is one, whatever the file is like by then."""
    done = threading.Event()
    thread = threading.Thread(target=work, args=(path, *args, done))
    thread.start()
    while not done.is_set():
        report = reader.report(path)
        yield f"no gaps in a report of {path.name}", isinstance(report["gaps"], list)
    thread.join()


def checks(reader, path, first):
    """
    (what, whether).  The file is damaged for good; its first bytes are those without which no report can be.
    """
    data = path.read_bytes()
    os.truncate(path, first)
    yield f"of 0x{first:x} bytes alone it says {said(reader.report(path))}", said(reader.report(path))
    yield from meanwhile(reader, path, grow, data[first:])
    yield f"written to its end, it lacks {said(reader.report(path))}", not said(reader.report(path))
    yield from meanwhile(reader, path, shrink, range(len(data), first, -STEP))
    path.write_bytes(data)
    yield from cut(reader, path, len(data))

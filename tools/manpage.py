#!/usr/bin/python3
"""The manual page of inquest-vmm: what the program says of itself, and prose of ours around it.

usage: manpage.py SOURCE INQUEST-VMM PAGE            make PAGE
       manpage.py --check SOURCE INQUEST-VMM PAGE    fail unless it is that, mandoc has nothing to say, and
                                                     every option that a --help names is in it

SOURCE is docs/inquest-vmm.1.in.  A line @help COMMAND there becomes the options of that command as its --help
explains them, @examples the example lines of all, @synopsis the first lines, @scenarios the list."""
import difflib, pathlib, re, subprocess, sys

COMMANDS = ("run", "resume", "draw")


def output(argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(argv)}: exit code {done.returncode}")
    return done.stdout


def text(words):
    """Plain words as roff: nothing in them may be taken for a request, and a sentence begins a line."""
    return "\n".join(line_of(part) for part in re.split(r"(?<=[.!?]) +(?=[A-Z])", words))


def line_of(words):
    words = words.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + words if words[:1] in (".", "'") else words


def option(words):
    """--name [ARG] as mdoc's own words."""
    name, _, arg = words.partition(" ")
    name = "Fl " + text(name[1:])
    return f".It {name} Ar {text(arg)}" if arg else f".It {name}"


class Help:
    """The help of a command, taken apart: usage, paragraphs and options in their order, examples."""

    def __init__(self, command, shown):
        lines = shown.rstrip("\n").split("\n")
        self.command, self.usage, self.examples, self.parts = command, [lines[0]], [], []
        for line in lines[1:]:
            self.line(line)

    def line(self, line):
        found = re.match(r"  (--\S+(?: \S+)*?)  +(\S.*)$", line) or re.match(r"  (--\S+(?: [^ a-z]\S*)*)()$", line)
        if re.match(r"  inquest-vmm ", line):
            self.examples.append(line.strip())
        elif found:
            self.parts.append(["option", found[1], [found[2]] if found[2] else []])
        elif line.startswith("    ") and self.parts and self.parts[-1][0] == "option":
            self.parts[-1][2].append(line.strip())
        elif line.startswith("  ") and not self.parts:
            self.usage.append(line.strip())
        elif line.strip() and self.parts and self.parts[-1][0] == "words":
            self.parts[-1][2].append(line.strip())
        elif line.strip():
            self.parts.append(["words", None, [line.strip()]])
        elif self.parts and self.parts[-1][0] == "words":
            self.parts.append(["break", None, []])

    def roff(self):
        listing = False
        for kind, name, words in self.parts:
            if kind != "option" and listing:
                yield ".El"
                listing = False
            if kind == "words":
                yield ".Pp"
            elif kind == "option":
                if not listing:
                    yield ".Bl -tag -width Ds"
                    listing = True
                yield option(name)
            yield from (text(w) for w in words)
        if listing:
            yield ".El"


def tidy(lines):
    """A paragraph mark before or behind a heading or a list says nothing, and mandoc complains of it."""
    kept = []
    for line in lines:
        if line == ".Pp" and (not kept or kept[-1].startswith((".Sh", ".Ss", ".Pp"))):
            continue
        kept.append(line)
    return kept


def scenarios(vmm):
    yield ".Bl -tag -width Ds"
    for line in output([vmm, "scenarios"]).splitlines():
        if line[:1].strip():
            name, kind, machines, doc = line.split(None, 3)
            yield f".It Cm {text(name)} Pq {text(kind)}; {text(machines.replace(',', ', '))}"
            yield text(doc)
        else:
            yield text(line.strip())
    yield ".El"


def page(source, vmm):
    helps = {}
    lines = []
    for line in pathlib.Path(source).read_text().splitlines():
        what, _, name = line.partition(" ")
        if what == "@help":
            helps[name] = Help(name, output([vmm, name, "--help"]))
            lines += helps[name].roff()
        elif what == "@synopsis":
            for command in name.split():
                lines += [".Nm", ".Cm " + command] if command in ("caps", "scenarios") else \
                    [".Nm", ".Cm " + command, *arguments(Help(command, output([vmm, command, "--help"])))]
        elif what == "@scenarios":
            lines += scenarios(vmm)
        elif what == "@examples":
            lines += [".Dl " + text(e) for h in helps.values() for e in h.examples]
        else:
            lines.append(line)
    return "\n".join(tidy(lines)) + "\n"


def arguments(shown):
    """What follows the command's name in its usage lines: options as .Fl, words as .Ar."""
    for part in re.findall(r"\[[^]]*\]|--\S+(?: [A-Z|,.:\[\]]+)?|\S+", " ".join(shown.usage))[2:]:
        mark, bare = (".Op ", part.strip("[]")) if part.startswith("[") else (".", part)
        name, _, arg = bare.partition(" ")
        flag = name.startswith("-")
        yield mark + ("Fl " + text(name[1:]) if flag else "Ar " + text(bare)) + (" Ar " + text(arg) if flag and arg else "")


def check(source, vmm, path):
    made, there = page(source, vmm), pathlib.Path(path).read_text()
    if made != there:
        sys.stdout.writelines(difflib.unified_diff(there.splitlines(True), made.splitlines(True), "there", "made now"))
        sys.exit(f"{path}: is not what the program says")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], stdout=subprocess.PIPE, text=True)
    if done.stdout.strip():
        sys.exit(f"mandoc: {done.stdout.strip()}")
    plain = re.sub(".\b", "", output(["mandoc", "-T", "utf8", "-O", "width=78", path]))
    for command in COMMANDS:
        for name in re.findall(r"^  (--[a-z0-9-]+)", output([vmm, command, "--help"]), re.M):
            if not re.search(rf"^ +{name}\b", plain, re.M):
                sys.exit(f"{path}: does not explain {command} {name}")


def main():
    args = [a for a in sys.argv[1:] if a != "--check"]
    if len(args) != 3:
        sys.exit(__doc__)
    if len(args) < len(sys.argv) - 1:
        check(*args)
    else:
        pathlib.Path(args[2]).write_text(page(*args[:2]))


if __name__ == "__main__":
    main()

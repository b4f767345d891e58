#!/usr/bin/env python3
"""Turn the *.sql files of a folder into one C table of rules.

usage: embed_rules.py OUT.c OUT.d FOLDER

Each file begins with a header of comment lines, `-- key: value`; a line `--` and at least four
blanks goes on with the value above.  Refused: a header that lacks a key, has an unknown one or one
twice, an id that is not the file's name in kebab-case, a word the schema does not know.
OUT.d tells ninja to look again when a file comes, goes or changes."""
import json, pathlib, re, sys

KEYS = ("id", "severity", "confidence", "needs", "title", "why", "fix", "source")
OPTIONAL = ("uses", "proof")
WORDS = {"severity": ("info", "warning", "error", "fatal"),
         "confidence": ("proof", "strong", "heuristic")}
NEEDS = 8  # INQ_RULE_NEEDS


def header(path, lines):
    head, last = {}, None
    for line in lines:
        if not line.startswith("--"):
            break
        if m := re.fullmatch(r"-- (\w+): +(\S.*)", line):
            last = m[1]
            if last not in KEYS + OPTIONAL or last in head:
                sys.exit(f"{path}: header has {last} " + ("twice" if last in head else "unasked"))
            head[last] = m[2].strip()
        elif last and (m := re.fullmatch(r"--    +(\S.*)", line)):
            head[last] += " " + m[1].strip()
        else:
            sys.exit(f"{path}: not a header line: {line}")
    return head


def check(path, head):
    if missing := [k for k in KEYS if k not in head]:
        sys.exit(f"{path}: header lacks {missing}")
    if head["id"] != path.stem or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", head["id"]):
        sys.exit(f"{path}: id {head['id']} is not the file's name in kebab-case")
    if wrong := [k for k, words in WORDS.items() if head[k] not in words]:
        sys.exit(f"{path}: unknown {wrong}")
    for key in ("needs", "uses"):
        tables = head.get(key, "").split()
        if len(tables) > NEEDS or len(set(tables)) < len(tables):
            sys.exit(f"{path}: {key} more than {NEEDS} tables, or one twice")


def entry(path):
    text = path.read_text()
    head = header(path, text.splitlines())
    check(path, head)
    fields = [f".{k} = {json.dumps(head[k])}" for k in KEYS if k != "needs"]
    fields += [".%s = {%s}" % (k, ", ".join(map(json.dumps, head[k].split()))) for k in ("needs", "uses") if k in head]
    if "proof" in head:
        fields.append(".proof = " + json.dumps(head["proof"]))
    fields.append(".sql = " + json.dumps(re.sub(r"^\s*--.*\n", "", text, flags=re.M)))
    return "\t{%s}," % ", ".join(fields)


def main():
    out, dep, folder = map(pathlib.Path, sys.argv[1:])
    files = sorted(folder.glob("*.sql"))
    lines = ['#include "analyzers/rules.h"', "const struct inq_rule analyzers_rules[] = {"]
    lines += [entry(f) for f in files] + ["\t{0},", "};", ""]
    out.write_text("\n".join(lines))
    dep.write_text(f"{out}: " + " ".join(map(str, [folder, *files])) + "\n")


main()

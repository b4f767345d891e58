#!/usr/bin/env python3
"""Fail when a rule joins two tables without machine_id: an index holds many machines.

usage: check_joins.py FOLDER [EXPECTED]   EXPECTED lists the complaints of a folder that must fail

A scope is one SELECT without what stands in its parentheses.  Of n tables in it, n - 1 must be
tied by machine_id: in USING(machine_id ...) or machine_id = machine_id.  A SELECT inside an
expression (EXISTS, IN, a scalar) looks out at other tables, so all n of its must be tied."""
import pathlib, re, sys

WORD = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\w+|[^\s\w]")
END = {"where", "group", "order", "limit", "having", "window", "union", "except", "intersect"}


def tokens(text):
    return [t.lower() for t in WORD.findall(re.sub(r"--.*", "", text))]


def scopes(toks):
    """Yield (tokens of one parenthesis level, the word before it), statements apart."""
    stack, done = [([], "")], []
    for t in toks:
        if t == "(":
            before = next((w for w in reversed(stack[-1][0])), "")
            stack.append(([], before))
        elif t == ")" and len(stack) > 1:
            inner = stack.pop()
            done.append(inner)
            # USING (machine_id) keeps its words; any other parenthesis is one value here
            stack[-1][0].append("()" if inner[0][:1] in (["select"], ["with"], ["values"])
                                else " ".join(inner[0]))
        elif t == ";" and len(stack) == 1:
            done.append(stack[0])
            stack = [([], "")]
        else:
            stack[-1][0].append(t)
    return done + stack


def selects(toks):
    """The SELECTs of one level: a UNION has several."""
    part = []
    for t in toks:
        if t == "select" and part:
            yield part
            part = []
        part.append(t)
    yield part


def count_tables(part):
    n, inside = 0, False
    for i, t in enumerate(part):
        if t == "from":
            n, inside = n + 1, True
        elif inside and t in ("join", ","):
            n += 1
        elif t in END:
            inside = False
    return n


def count_ties(part):
    text = " ".join(part)
    return (len(re.findall(r"using [^()]*?\bmachine_id\b", text)) +
            len(re.findall(r"(?:\w+ \. )?machine_id (?:=|is) (?:\w+ \. )?machine_id", text)))


def complaints(path):
    for toks, before in scopes(tokens(path.read_text())):
        for part in selects(toks):
            if "select" not in part:
                continue
            outer = before in ("exists", "in", "=", "<", ">", ",", "||", "then", "else", "and",
                               "or", "not", "select", "coalesce", "iif")
            tables, ties = count_tables(part), count_ties(part)
            if ties < tables - (0 if outer else 1):
                yield f"{path.name}: {tables} tables, tied by machine_id {ties} times: " + \
                      " ".join(part)[:60]


def main():
    found = [c for p in sorted(pathlib.Path(sys.argv[1]).glob("*.sql")) for c in complaints(p)]
    expected = pathlib.Path(sys.argv[2]).read_text().splitlines() if len(sys.argv) > 2 else []
    print("\n".join(found))
    sys.exit(found != expected)


main()

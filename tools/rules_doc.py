#!/usr/bin/env python3
"""docs/rules.md: every rule with its proof, and what is left out, from the rules themselves.

usage: rules_doc.py SOURCE            print it
       rules_doc.py --check SOURCE    fail when docs/rules.md differs, or a proof is none
       rules_doc.py --write SOURCE

A rule's header says which dump it fires on (proof): `scenario NAME`, a guest of inquest-vmm whose list
tests/scenarios/NAME.expect names the rule, or `built CASE`, a dump made from a text, in whose case
tests/golden/CASE.txt the rule is printed as a finding.  A rule without one is unproven."""
import difflib, pathlib, re, sys

SEVERITIES = "info|warning|error|fatal"
HEAD = """# The rules

What `inquest report` can find to be wrong, and on which dump each rule was seen to fire: `scenario` is a guest of
`inquest-vmm scenarios` that is really in that state, `built` a dump made from a text in `tests/golden`. `inquest rules ID`
prints the question in SQL, with its source. Made by `tools/rules_doc.py` from `analyzers/rules`, `tests/rules/left-out` and
`tests/scenarios/rules-to-come`.
"""


def headers(source):
    for path in sorted((source / "analyzers/rules").glob("*.sql")):
        yield dict(re.findall(r"^-- (\w+): +(\S.*)", path.read_text(), re.M))


def is_proof(source, rule, proof):
    kind, name = proof.split()
    if kind == "scenario":
        path = source / f"tests/scenarios/{name}.expect"
        return path.is_file() and re.search(rf"^(\[\w+\] )?{rule} (?!none)", path.read_text(), re.M)
    path = source / f"tests/golden/{name}.txt"
    return kind == "built" and path.is_file() and re.search(
        rf"\(rule {rule},|^  ({SEVERITIES}) +{rule}$|^{rule} +({SEVERITIES})\b|\"rule\":\"{rule}\",\"severity\"",
        path.read_text(), re.M)


def missing(source):
    """Fixtures: at least a hit and a miss."""
    for h in headers(source):
        for kind in ("hit", "miss"):
            if not list((source / "tests/rules").glob(f"{h['id']}.{kind}*.sql")):
                yield f"{h['id']}: no {kind} fixture"
        if "proof" in h and not is_proof(source, h["id"], h["proof"]):
            yield f"{h['id']}: is not seen to fire in {h['proof']}"


def listed(path):
    return [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


def text(source):
    rules = list(headers(source))
    left = [line.split(": ", 1) for line in listed(source / "tests/rules/left-out")]
    to_come = [r for r in listed(source / "tests/scenarios/rules-to-come") if r not in dict(left)]
    proven = [h for h in rules if "proof" in h]
    yield HEAD
    yield f"{len(rules)} rules: {len(proven)} proven on a dump, {len(rules) - len(proven)} not yet.\n"
    yield "| rule | says | severity | proof |\n| --- | --- | --- | --- |"
    for h in rules:
        yield f"| `{h['id']}` | {h['title']} | {h['severity']}, {h['confidence']} | {h.get('proof', 'unproven')} |"
    yield "\n## Left out\n\n| detector | why |\n| --- | --- |"
    yield from (f"| `{rule}` | {why} |" for rule, why in left)
    yield f"\n## To come\n\n{len(to_come)} detectors that no rule asks for yet:\n"
    yield ", ".join(f"`{r}`" for r in to_come) + "."


def main():
    *mode, source = sys.argv[1:]
    source = pathlib.Path(source)
    made, path = "\n".join(text(source)) + "\n", source / "docs/rules.md"
    if mode == ["--write"]:
        path.write_text(made)
    elif mode == ["--check"]:
        wrong = [*missing(source), *difflib.unified_diff(path.read_text().splitlines(), made.splitlines(), "docs/rules.md", "made", lineterm="")]
        print("\n".join(wrong))
        sys.exit(bool(wrong))
    else:
        sys.stdout.write(made)


main()

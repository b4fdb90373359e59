#!/usr/bin/env python3
"""Fails if a name of old_names.txt comes back, at British spelling, and at comments that read as if translated.

Names are looked for in code, comments and pages, spelling in code and comments. Strings of C++ are left out: they are
behavior. Comments are those of C++, CUDA, CMake, shell and Python, docstrings included.

  language.py ROOT      checks the tree
  language.py --test    checks this script: it must find violations planted in a tree of its own
"""

import ast
import glob
import os
import re
import sys
import tempfile

import sources

SCRIPTS = (".py", ".sh", ".cmake", "CMakeLists.txt")
# This script holds the words that it looks for; the glossary holds old names.
UNREAD = ("tests/static/language.py", "docs/glossary.md")

BRITISH = re.compile(
    r"optimis(?!t)|normalis|initialis|synchronis|specialis|serialis|recognis|vectoris|standardis|organis(?!m)|summaris"
    r"|minimis|maximis|analyse(?!s)|analysing|colour|centre|neighbour|behaviour|favour",
    re.IGNORECASE,
)

# (path prefix, identifier): reason for a spelling that stays
STAYS = {
    ("apps/", "normalise"): "the member of the flag --normalise and of its key in config.toml",
}

OPENING = re.compile(r"(What|Of|Where|Whether) ")
HABITS = (
    (re.compile(r"\bbehind (?:a|the|its|every|each) (?:batch|convolution|layer|loop)"), "behind: say after"),
    (re.compile(r"\b[Nn]obody\b"), "nobody: say that it is never read, or not used"),
    (re.compile(r"\bone after the other\b"), "one after the other: say sequentially or in turn"),
    (re.compile(r"\bbrought to\b"), "brought to: say scaled, converted or projected to"),
)


def old_names(table):
    """{old: (new, folders)} for the lines of old_names.txt, and a pattern that finds every old name."""
    names = {}
    for line in table.splitlines():
        if line and not line.startswith("#"):
            old, new, *folders = line.split()
            names[old] = (new, tuple(folders))
    any_name = "|".join(re.escape(old) for old in sorted(names, key=len, reverse=True))
    return names, re.compile(rf"(?<![\w/])({any_name})_?(?!\w)")


def script_comments(text, python):
    """(line, lines) of # comments, and of docstrings."""
    found, last = [], -1
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"\s*#(?!!)\s?(.*)", line)
        if match and last == number - 1:
            found[-1][1].append(match.group(1).strip())
        elif match:
            found.append((number, [match.group(1).strip()]))
        if match:
            last = number
    for node in ast.walk(ast.parse(text)) if python else ():
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
            found.append((node.body[0].lineno, [line.strip() for line in ast.get_docstring(node).splitlines()]))
    return found


def comments_of(path, text):
    return sources.comments(text) if path.endswith(sources.CPP) else script_comments(text, path.endswith(".py"))


def habits_of(comment):
    """Advice on the lines of a comment."""
    opening = OPENING.match(comment[0])
    if opening:
        yield f"opens with {opening.group(1)}: begin with the noun, a verb or If"
    joined = " ".join(comment)
    for pattern, advice in HABITS:
        if pattern.search(joined):
            yield advice
    last = comment[-1]
    if len(comment) > 1 and comment[-2] and re.fullmatch(r"[^\s/=|]+", last):
        yield f"one word on the last line: {last}"


def word_at(text, at):
    """The identifier around a position."""
    begin = at
    while begin > 0 and (text[begin - 1].isalnum() or text[begin - 1] == "_"):
        begin -= 1
    return re.match(r"\w+", text[begin : at + 60]).group()


def check_words(path, text, names, any_name):
    """Complaints about old names and spelling."""
    cpp = path.endswith(sources.CPP)
    words = sources.without_strings(text) if cpp else text
    found = []
    for match in any_name.finditer(words):
        new, folders = names[match.group(1)]
        if not folders or path.startswith(folders):
            found.append((match.start(), f"{match.group(1)} is called {new}"))
    for match in BRITISH.finditer(words) if cpp else ():
        word = word_at(words, match.start())
        if not any(path.startswith(prefix) and word == stays for prefix, stays in STAYS):
            found.append((match.start(), f"British spelling: {word}"))
    return [f"{path}:{words.count(chr(10), 0, at) + 1}: {advice}" for at, advice in found]


def check(root, table):
    """Complaints about the tree, and how many comments were read."""
    complaints, counted = [], 0
    names, any_name = old_names(table)
    pages = [os.path.relpath(path, root) for path in glob.glob(os.path.join(root, "docs/*.md"))]
    for path in sources.files(root, sources.CPP + SCRIPTS + (".md",)) + sorted(pages):
        if path in UNREAD:
            continue
        text = sources.read(root, path)
        complaints += check_words(path, text, names, any_name)
        for line, comment in () if path.endswith(".md") else comments_of(path, text):
            counted += 1
            complaints += [f"{path}:{line}: {advice}" for advice in habits_of(comment)]
    return complaints, counted


_TABLE = """# old, new, folders
CopyMap ConvertLayout
pitch channel_stride kernels/ engine/ops/
kernels/contrast kernels/nce_loss
"""

_PLANTED = {
    "apps/good.h": """// Arguments of a copy, wherever it goes.
int pitch = 1;  // says CopyMaps
const char* text = "CopyMap, colour, nobody";
""",
    "kernels/x.h": '#include "kernels/contrast/contrast.h"\nint pitch_ = 1;\n',
    "engine/ops/x.cpp": "CopyMap copy;  // CopyMap\n",
    "data/x.h": "int has_colour = 0;  // neighbours\n",
    "models/x.h": """// What it is.
int a;
  // Where it is,
  // if
int b;
// A norm behind the convolution,
// that nobody
// reads back.
""",
    "tests/x.py": '"""Whether it is."""\n# Values are brought to one\n# size.\n',
    "tests/x.sh": "#!/bin/sh\n# Of all, one after the other.\n",
    "tests/CMakeLists.txt": "# Whether.\n# Whether it is.\nadd()\n# Of them.\n",
    "docs/page.md": "See kernels/contrast and CopyMap.\n",
}

_WANTED = """kernels/x.h:1: kernels/contrast
kernels/x.h:2: pitch
engine/ops/x.cpp:1: CopyMap
engine/ops/x.cpp:1: CopyMap
data/x.h:1: British spelling: has_colour
data/x.h:1: British spelling: neighbours
models/x.h:1: opens with What
models/x.h:3: opens with Where
models/x.h:3: one word
models/x.h:6: behind
models/x.h:6: nobody
tests/x.py:1: opens with Whether
tests/x.py:2: brought to
tests/x.py:2: one word
tests/x.sh:2: opens with Of
tests/x.sh:2: one after the other
tests/CMakeLists.txt:4: opens with Of
docs/page.md:1: CopyMap
docs/page.md:1: kernels/contrast
"""


def main():
    if sys.argv[1:] == ["--test"]:
        with tempfile.TemporaryDirectory() as root:
            sources.plant(root, _PLANTED)
            sources.expect(check(root, _TABLE)[0], _WANTED.splitlines())
        return 0
    table = sources.read(os.path.dirname(os.path.abspath(__file__)), "old_names.txt")
    complaints, counted = check(sys.argv[1], table)
    print(*complaints, sep="\n")
    print(f"{counted} comments read")
    return 1 if complaints or counted == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

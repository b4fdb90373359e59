#!/usr/bin/env python3
"""Fails if a name from old_names.txt comes back, at British spelling, and at habits of comments that read as translated.

Names and spelling are looked for in code and comments, names also in pages; never in strings, which are behavior. Comments
are those of C++, CUDA, CMake, shell and Python, docstrings included.

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

BRITISH = re.compile(
    r"optimis(?!t)|normalis|initialis|synchronis|specialis|serialis|recognis|vectoris|standardis|organis(?!m)|summaris|minimis"
    r"|maximis|analyse(?!s)|analysing|colour|centre|neighbour|behaviour|favour", re.IGNORECASE)

# (path prefix, word): reason. These words are part of a format or of a command line.
STAYS = {
    ("apps/", "normalise"): "the member of the flag --normalise and of its key in config.toml",
}

OWN = "tests/static/language.py"

# Habits of comments, each with the advice that is printed.
OPENING = re.compile(r"(?:What|Of|Where|Whether) ")
HABITS = (
    (re.compile(r"\bbehind (?:a|the|its|every|each) (?:batch|convolution|layer|loop)"), "behind: after, following"),
    (re.compile(r"\b[Nn]obody\b"), "nobody: is never read, is not used"),
    (re.compile(r"\bone after the other\b"), "one after the other: sequentially, in turn"),
    (re.compile(r"\bbrought to\b"), "brought to: scaled, converted or projected to"),
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
    if python:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
                first = node.body[0].lineno
                found.append((first, [line.strip() for line in ast.get_docstring(node).splitlines()]))
    return found


def comments_of(path, text):
    return sources.comments(text) if path.endswith(sources.CPP) else script_comments(text, path.endswith(".py"))


def habits_of(comment):
    if OPENING.match(comment[0]):
        yield f"opens with {comment[0].split()[0]}: begin with the noun, If or True if"
    joined = " ".join(comment)
    for pattern, advice in HABITS:
        if pattern.search(joined):
            yield advice
    if len(comment) > 1 and comment[-1] and " " not in comment[-1] and comment[-2] and not re.search(r"[/=|]", comment[-1]):
        yield f"one word on the last line: {comment[-1]}"


def word_at(text, at):
    """The whole identifier around a position."""
    begin = at
    while begin > 0 and (text[begin - 1].isalnum() or text[begin - 1] == "_"):
        begin -= 1
    return re.match(r"\w+", text[begin:at + 60]).group()


def words_of(path, text):
    """The text in which names count: C++ without strings and header names, whole pages and scripts."""
    if not path.endswith(sources.CPP):
        return text
    return sources.without_strings(text)


def check(root, table):
    """Complaints about the tree, and how many comments were read."""
    complaints, counted = [], 0
    names, any_name = old_names(table)
    code = [path for path in sources.files(root, sources.CPP + (".py", ".sh", ".cmake", "CMakeLists.txt")) if path != OWN]
    pages = sources.files(root, ".md") + [os.path.relpath(path, root) for path in glob.glob(os.path.join(root, "docs/*.md"))]
    for path in code + [page for page in pages if page != "docs/glossary.md"]:
        text = sources.read(root, path)
        words = words_of(path, text)

        def complain(at, advice):
            complaints.append(f"{path}:{words.count(chr(10), 0, at) + 1}: {advice}")

        for match in any_name.finditer(words):
            new, folders = names[match.group(1)]
            if not folders or path.startswith(folders):
                complain(match.start(), f"{match.group(1)} is called {new}")
        if path.endswith(sources.CPP):
            for match in BRITISH.finditer(words):
                word = word_at(words, match.start())
                if not any(path.startswith(prefix) and word == stays for prefix, stays in STAYS):
                    complain(match.start(), f"British spelling: {word}")
        if path in code:
            for line, comment in comments_of(path, text):
                counted += 1
                complaints += [f"{path}:{line}: {advice}" for advice in habits_of(comment)]
    return complaints, counted


def _test():
    table = "# a comment\nCopyMap ConvertLayout\npitch channel_stride kernels/ engine/ops/\nkernels/contrast kernels/nce_loss\n"
    planted = {
        "apps/good.h": "// Arguments of a copy, wherever it goes.\nint pitch = 1;  // says CopyMaps\nconst char* text = \"CopyMap, colour, nobody\";\n",
        "kernels/x.h": "int pitch_ = 1;\n#include \"kernels/contrast/contrast.h\"\n",
        "engine/ops/x.cpp": "CopyMap copy;  // CopyMap\n",
        "data/x.h": "int has_colour = 0;  // neighbours\n",
        "models/x.h": "// What it is.\nint a;\n  // Where it is,\n  // if\nint b;\n// A norm behind the convolution,\n// that nobody\n// reads back.\n",
        "tests/x.py": "\"\"\"Whether it is.\"\"\"\n# Values are brought to one\n# size.\n",
        "tests/x.sh": "#!/bin/sh\n# Of all, one after the other.\n",
        "tests/CMakeLists.txt": "# Whether.\n# Whether it is.\nadd()\n# Of them.\n",
        "docs/page.md": "See kernels/contrast and CopyMap.\n",
    }
    wanted = ["kernels/x.h:1: pitch", "kernels/x.h:2: kernels/contrast", "engine/ops/x.cpp:1: CopyMap", "engine/ops/x.cpp:1: CopyMap",
              "data/x.h:1: British spelling: has_colour", "data/x.h:1: British spelling: neighbours", "models/x.h:1: opens with What",
              "models/x.h:3: opens with Where", "models/x.h:3: one word", "models/x.h:6: behind", "models/x.h:6: nobody",
              "tests/x.py:1: opens with Whether", "tests/x.py:2: brought to", "tests/x.py:2: one word", "tests/x.sh:2: opens with Of",
              "tests/x.sh:2: one after the other", "tests/CMakeLists.txt:4: opens with Of", "docs/page.md:1: CopyMap", "docs/page.md:1: kernels/contrast"]
    with tempfile.TemporaryDirectory() as root:
        sources.plant(root, planted)
        sources.expect(check(root, table)[0], wanted)


def main():
    if sys.argv[1:] == ["--test"]:
        _test()
        return 0
    table = sources.read(os.path.dirname(os.path.abspath(__file__)), "old_names.txt")
    complaints, counted = check(sys.argv[1], table)
    print(*complaints, sep="\n")
    print(f"{counted} comments read")
    return 1 if complaints or counted == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

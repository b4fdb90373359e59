"""The source files of the tree, and C++ and CUDA code separated from its comments."""

import os
import re

ROOMS = ("apps", "data", "engine", "kernels", "models", "tests")
CPP = (".cpp", ".h", ".cu", ".cuh")


def files(root, endings):
    """Sorted paths, relative to root, of files in the rooms whose names end with one of the endings."""
    found = []
    for room in ROOMS:
        for folder, folders, names in os.walk(os.path.join(root, room)):
            folders[:] = [name for name in folders if name != "__pycache__"]
            found += [os.path.relpath(os.path.join(folder, name), root) for name in names if name.endswith(endings)]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


_TOKEN = re.compile(
    r"""(?P<comment>//(?:\\\n|[^\n])*|/\*.*?\*/)"""
    r"""|(?P<raw>\bR"(?P<mark>[^()\\ ]*)\(.*?\)(?P=mark)")"""
    r"""|(?P<string>"(?:\\.|[^"\\\n])*"|(?<![0-9a-zA-Z_])'(?:\\.|[^'\\\n])+')""",
    re.DOTALL,
)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def code_of(text):
    """C++ text with comments and the contents of literals blanked; every character keeps its place."""

    def replace(match):
        if match.group("comment"):
            return _blank(match.group())
        quote = match.group()[-1]
        return quote + _blank(match.group()[1:-1]) + quote

    return _TOKEN.sub(replace, text)


def without_strings(text):
    """C++ text with the contents of literals blanked; comments and the names of included files stay."""

    def replace(match):
        before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        return match.group() if match.group("comment") or "#include" in before else _blank(match.group())

    return _TOKEN.sub(replace, text)


def without_directives(code):
    """Code without preprocessor lines, continued ones included."""
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda match: _blank(match.group()), code, flags=re.MULTILINE)


def comments(text):
    """(line, text) of every C++ comment; // lines that follow one another on lines of their own are one comment."""
    found = []
    for match in _TOKEN.finditer(text):
        if not match.group("comment"):
            continue
        line = text.count("\n", 0, match.start()) + 1
        alone = not text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip()
        body = match.group()
        if found and alone and found[-1]["alone"] and found[-1]["last"] == line - 1 and body.startswith("//"):
            found[-1]["lines"].append(body)
        else:
            found.append({"line": line, "alone": alone, "lines": body.split("\n")})
        found[-1]["last"] = line + body.count("\n")
    return [(entry["line"], [_stripped(line) for line in entry["lines"]]) for entry in found]


def _stripped(line):
    return re.sub(r"^\s*(//[/!]?<?|/\*+|\*+/?)\s?|\s*\*/$", "", line).strip()


def plant(root, contents):
    """Writes files for a script's own test."""
    for path, text in contents.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)


def expect(complaints, beginnings):
    """Fails unless there is one complaint for every beginning, and no other."""
    missing = [start for start in beginnings if not any(text.startswith(start) for text in complaints)]
    others = [text for text in complaints if not text.startswith(tuple(beginnings))]
    if missing or others or len(complaints) != len(beginnings):
        raise SystemExit(f"not found: {missing}\nnot planted: {others}\nall: {complaints}")
    print(f"{len(complaints)} planted violations found")

#!/usr/bin/env python3
"""Fails if a file has more than 400 lines or a function more than 60.

A function counts from the first line of its declaration to its closing brace. Lambdas and local types belong to the
function around them. C++ is read as clang-format leaves it: brackets are matched, nothing is preprocessed.

  budgets.py ROOT      checks the tree
  budgets.py --test    checks this script: it must find violations planted in a tree of its own
"""

import ast
import re
import sys
import tempfile

import sources

FILE_LINES = 400
FUNCTION_LINES = 60

# "path" or "path: declaration" -> reason for being longer
EXCEPTIONS = {}

_TYPE = re.compile(r"(?:(?:inline|static|const|constexpr|typedef) )*(?:(?:namespace|struct|class|union|enum)\b|extern \"\s*\"$)")
_LAMBDA = re.compile(r"\] ?(?:@ ?(?:mutable|noexcept)?(?: ?-> ?[\w: *&]+)?)?$")
_INITIALIZER = re.compile(r"@[^@]*?(?<!:):(?!:).*[\w:]$")


def _reduced(head):
    """The text before an opening brace: @ for parentheses, # for braces, no template arguments or operator symbols."""
    head = re.sub(r"\boperator\s*(?:\(\s*\)|\[\s*\]|[^\s\w(]+)", "operator", head)
    head = re.sub(r"\[\[.*?\]\]", " ", head)
    for pair, instead in ((r"\{[^{}]*\}", "#"), (r"\([^()]*\)", "@"), (r"<[^<>]*>", "")):
        count = 1
        while count:
            head, count = re.subn(pair, instead, head)
    return " ".join(re.sub(r"\btemplate\b", " ", head).split())


def _kind(head):
    """The kind of a brace after this head, outside of functions: scope, function or value."""
    text = _reduced(head)
    if _TYPE.match(text):
        return "scope"
    if _LAMBDA.search(text):
        return "function"
    if "@" not in text or "=" in text or "(" in text or _INITIALIZER.search(text):
        return "value"
    return "function"


def cpp_functions(text):
    """(first line, lines, declaration) of the functions in C++ text."""
    code = sources.without_directives(sources.code_of(text))
    found, open_braces, head, inside = [], [], 0, 0
    for match in re.finditer(r"[{};]|\b(?:public|private|protected)\s*:(?!:)", code):
        character = match.group()
        if inside:
            inside += {"{": 1, "}": -1}.get(character, 0)
            if inside:
                continue
            begin = head + re.search(r"\S", code[head:]).start()
            line = code.count("\n", 0, begin) + 1
            declaration = " ".join(code[begin : code.index("{", begin)].split())
            found.append((line, code.count("\n", begin, match.start()) + 1, declaration))
            head = head if is_lambda else match.end()
        elif character == "{":
            kind = _kind(code[head : match.start()])
            if kind == "function":
                inside, is_lambda = 1, bool(_LAMBDA.search(_reduced(code[head : match.start()])))
            else:
                open_braces.append(kind if kind == "scope" else head)
                head = match.end()
        elif character == "}":
            if not open_braces:
                raise ValueError("unmatched }")
            before = open_braces.pop()
            head = match.end() if before == "scope" else before
        else:
            head = match.end()
    if open_braces or inside:
        raise ValueError("unmatched {")
    return found


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno - node.lineno + 1, node.name


def shell_functions(text):
    for match in re.finditer(r"^([\w-]+)\(\) \{\n.*?^\}$", text, re.MULTILINE | re.DOTALL):
        yield text.count("\n", 0, match.start()) + 1, match.group().count("\n") + 1, match.group(1)


def functions(path, text):
    if path.endswith(".py"):
        return python_functions(text)
    return shell_functions(text) if path.endswith(".sh") else cpp_functions(text)


def check(root, exceptions):
    """Complaints about the tree, and how many files and functions were read."""
    complaints, unused, counted = [], set(exceptions), 0
    paths = sources.files(root, sources.CPP + (".sh", ".py"))
    for path in paths:
        text = sources.read(root, path)
        lines = text.count("\n")
        if lines > FILE_LINES:
            unused.discard(path)
            if path not in exceptions:
                complaints.append(f"{path}: {lines} lines, allowed are {FILE_LINES}")
        try:
            found = list(functions(path, text))
        except (ValueError, SyntaxError) as error:
            complaints.append(f"{path}: cannot be read: {error}")
            continue
        counted += len(found)
        for line, length, name in found:
            if length > FUNCTION_LINES:
                key = f"{path}: {name}"
                unused.discard(key)
                if key not in exceptions:
                    complaints.append(f"{path}:{line}: {length} lines, allowed are {FUNCTION_LINES}: {name[:80]}")
    complaints += [f"{entry}: the exception is no longer needed" for entry in sorted(unused)]
    return complaints, len(paths), counted


_LONG_CPP = """
template <class T = int>
struct Table final : Base<T> {{
  Table() noexcept : first_(1), names_{{"{{", "}}"}} {{
{lines}  }}
  int short_one() const {{ return values_[0]; }}
  std::vector<int> values_{{1, 2}};
}};
const auto lambda = [](int x = 3) {{
  return x;
}};
"""


def _test():
    body = "    call(R\"(})\", '}');  // }\n"
    planted = {
        "apps/long_file.h": "// text\n" * (FILE_LINES + 1),
        "apps/full_file.h": "// text\n" * FILE_LINES,
        "engine/constructor.cpp": _LONG_CPP.format(lines=body * (FUNCTION_LINES - 1)),
        "engine/full_constructor.cpp": _LONG_CPP.format(lines=body * (FUNCTION_LINES - 2)),
        "kernels/kernel.cu": "#if 1 /*\n*/\n__global__ void kernel(int* x) {\n" + "  ++*x;\n" * FUNCTION_LINES + "}\n#endif\n",
        "kernels/lambda.h": "const auto f = [](int x) -> int {\n" + "  ++x;\n" * FUNCTION_LINES + "};\n",
        "models/cut.cpp": "int f() {\n",
        "tests/long.py": "def long():\n" + "    pass\n" * FUNCTION_LINES,
        "tests/long.sh": "long() {\n" + "  true\n" * FUNCTION_LINES + "}\n",
    }
    wanted = ["apps/long_file.h: 401", "engine/constructor.cpp:4: 61", "kernels/kernel.cu:3: 62", "kernels/lambda.h:1: 62",
              "models/cut.cpp: cannot be read", "tests/long.py:1: 61", "tests/long.sh:1: 62", "gone.cpp: the exception"]
    with tempfile.TemporaryDirectory() as root:
        sources.plant(root, planted)
        complaints, _, _ = check(root, {"gone.cpp": "not there", "engine/full_constructor.cpp": "not needed"})
        wanted.insert(7, "engine/full_constructor.cpp: the exception")
        sources.expect(complaints, wanted)
        complaints, _, _ = check(root, {"apps/long_file.h": "a reason", "kernels/lambda.h: const auto f = [](int x) -> int": "another"})
        sources.expect(complaints, [text for text in wanted[:7] if "long_file" not in text and "lambda" not in text])


def main():
    if sys.argv[1:] == ["--test"]:
        _test()
        return 0
    complaints, files, counted = check(sys.argv[1], EXCEPTIONS)
    print(*complaints, sep="\n")
    print(f"{files} files, {counted} functions")
    return 1 if complaints or counted == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

"""Prints how large functions and files are, and fails where one is larger than is pleasant to read."""

import ast
import sys
from pathlib import Path

LONGEST_FUNCTION = 60
LONGEST_FILE = 500


def functions(file: Path) -> list[tuple[int, str]]:
    """Lines of each function in ``file``, docstring included, and where it is."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [((node.end_lineno or node.lineno) - node.lineno + 1, f"{file}:{node.lineno} {node.name}") for node in nodes]


def main(root: Path) -> int:
    """The exit status: 1 where a function or file is too long."""
    files = sorted((len(file.read_text(encoding="utf-8").splitlines()), str(file)) for file in root.rglob("*.py"))
    sizes = sorted(each for _, file in files for each in functions(Path(file)))
    median, p90 = sizes[len(sizes) // 2][0], sizes[int(len(sizes) * 0.9)][0]
    print(f"{len(files)} files, the longest {files[-1][0]} lines ({files[-1][1]})")
    print(f"{len(sizes)} functions: median {median} lines, p90 {p90}, the longest {sizes[-1][0]} ({sizes[-1][1]})")
    long = [each for each in sizes if each[0] > LONGEST_FUNCTION] + [each for each in files if each[0] > LONGEST_FILE]
    for lines, where in long:
        print(f"too long: {lines} lines, {where}", file=sys.stderr)
    return 1 if long else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

"""Rules 1, 3 and 4 of the engine, read from the source: each kept a wrong number or an error away."""

from __future__ import annotations

import ast
from collections.abc import Iterator

STABLE = "narwhals.stable.v2"
REDUCTIONS = {"sum", "min", "max", "count"}


def violations(source: str) -> list[str]:
    """Line and rule of everything in ``source`` that breaks a rule."""
    tree = ast.parse(source)
    found = [(node.lineno, "imports narwhals other than stable.v2") for node in ast.walk(tree) if unstable(node)]
    for scope, call in calls(tree, tree):
        names = assigned(scope)
        inputs = [*call.args, *(keyword.value for keyword in call.keywords)]
        if call.func.attr == "agg" and not is_pandas(call.func.value, names):
            if not all(is_plain(node, names) for node in inputs):
                found.append((call.lineno, "agg takes nw.len() or nw.col(...).sum/min/max/count() only"))
        elif call.func.attr == "filter" and any(has_window(node, names) for node in inputs):
            found.append((call.lineno, "a window stands inside filter"))
    return [f"{line}: {rule}" for line, rule in sorted(found)]


def unstable(node: ast.AST) -> bool:
    """Whether an import takes narwhals from anywhere but stable.v2."""
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module == "narwhals.stable":
        modules = [f"narwhals.stable.{alias.name}" for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        modules = [node.module or ""]
    else:
        return False
    return any(name.partition(".")[0] == "narwhals" and not f"{name}.".startswith(f"{STABLE}.") for name in modules)


def calls(node: ast.AST, scope: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Every method call below ``node``, with the function (or module) that it stands in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute):
            yield scope, child
        yield from calls(child, child if isinstance(child, ast.FunctionDef) else scope)


def assigned(scope: ast.AST) -> dict[str, list[ast.expr]]:
    """What the names of a function are given: by ``=``, ``+=``, ``append`` and ``extend``."""
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign | ast.AugAssign) and node.value:
            targets, value = [node.target], node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) == 1:
            targets = [node.func.value] if node.func.attr in {"append", "extend"} else []
            value = node.args[0]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name):
                values.setdefault(target.id, []).append(value)
    return values


def is_plain(node: ast.expr, names: dict[str, list[ast.expr]]) -> bool:
    """Whether an argument of ``agg`` is a length or a reduction of a plain column, seen through names and lists."""
    match node:
        case ast.Name(id=name):
            parts, rest = names.get(name), {**names, name: []}
            return parts is not None and all(is_plain(part, rest) for part in parts)
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Dict(values=parts):
            return all(is_plain(part, names) for part in parts)
        case ast.Starred(value=inner) | ast.ListComp(elt=inner) | ast.GeneratorExp(elt=inner):
            return is_plain(inner, names)
        case ast.DictComp(value=inner) | ast.Call(func=ast.Attribute(value=inner, attr="alias")):
            return is_plain(inner, names)
        case ast.Call(func=ast.Attribute(value=ast.Call(func=column), attr=attr)):
            return ast.unparse(column) == "nw.col" and attr in REDUCTIONS
    return ast.unparse(node) == "nw.len()"


def is_pandas(node: ast.expr, names: dict[str, list[ast.expr]]) -> bool:
    """Whether ``agg`` is called on pandas (``groupby`` in one word): a small result, after the engine."""
    if isinstance(node, ast.Name):
        return any(is_pandas(value, {}) for value in names.get(node.id, []))
    return any(isinstance(part, ast.Attribute) and part.attr == "groupby" for part in ast.walk(node))


def has_window(node: ast.expr, names: dict[str, list[ast.expr]]) -> bool:
    """Whether an expression holds ``over``, seen through names."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and part.attr == "over":
            return True
        if isinstance(part, ast.Name) and part.id in names:
            rest = {name: values for name, values in names.items() if name != part.id}
            if any(has_window(value, rest) for value in names[part.id]):
                return True
    return False

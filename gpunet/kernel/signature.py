"""Read a kernel's parameters from its own `__global__` declaration.

The declaration is the one place that says what a kernel takes; launch code passes plain Python numbers, and
this module finds the exact type each must become. CuPy would pass a Python float as 8 bytes and an int as 8
bytes whatever the kernel takes, and the kernel would read garbage.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Declaration", "Parameter", "SignatureError", "function_name", "kernels", "parameters", "parse", "pointers",
           "scalar_type", "spell",
           "split_expression"]

# C++ scalar types, spelled as `_normal` spells them, and the NumPy type of the same layout.
_SCALARS = {
    "float": "float32", "double": "float64", "__half": "float16", "half": "float16",
    "__nv_bfloat16": "bfloat16", "nv_bfloat16": "bfloat16",
    "bool": "bool", "char": "int8", "signed char": "int8", "unsigned char": "uint8",
    "short": "int16", "unsigned short": "uint16", "int": "int32", "unsigned int": "uint32",
    "long long": "int64", "unsigned long long": "uint64", "size_t": "uint64",
    "int8_t": "int8", "uint8_t": "uint8", "int16_t": "int16", "uint16_t": "uint16",
    "int32_t": "int32", "uint32_t": "uint32", "int64_t": "int64", "uint64_t": "uint64",
}  # fmt: skip

# NumPy type -> the C++ spelling that gpunet writes in template arguments.
_SPELLINGS = {
    "float32": "float", "float64": "double", "float16": "__half", "bfloat16": "__nv_bfloat16", "bool": "bool",
    "int8": "signed char", "uint8": "unsigned char", "int16": "short", "uint16": "unsigned short",
    "int32": "int", "uint32": "unsigned int", "int64": "long long", "uint64": "unsigned long long",
}  # fmt: skip


class SignatureError(ValueError):
    """A kernel is not declared as expected, or a template argument does not fit its declaration.

    Examples:
        >>> from gpunet.kernel import signature
        >>> signature.parse("__global__ void fill(float* y, int n);", "fil")
        Traceback (most recent call last):
            ...
        gpunet.kernel.signature.SignatureError: no kernel named 'fil'; the source declares: fill
    """


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel.

    Args:
        name: its name.
        type: its type in C++, without const and __restrict__; of a pointer, what it points to.
        pointer: it is a pointer.

    Examples:
        >>> from gpunet.kernel import signature
        >>> x, n = signature.parameters("__global__ void scale(const float* x, int n);", "scale")
        >>> str(x), x.dtype, n.pointer
        ('float* x', dtype('float32'), False)
    """

    name: str
    type: str
    pointer: bool

    @property
    def dtype(self) -> np.dtype | None:
        """NumPy type of the same layout, or None for void and for structures."""
        return scalar_type(self.type)

    def __str__(self) -> str:
        return f"{self.type}{'*' if self.pointer else ''} {self.name}"


@dataclass(frozen=True)
class Declaration:
    """A kernel as declared.

    Args:
        name: its name.
        template: its template parameters as (name, default or None).
        parameters: its parameters, in whose types the template parameters' names stand.

    Examples:
        >>> from gpunet.kernel import signature
        >>> fill = signature.parse("template <typename T> __global__ void fill(T* y, int n);", "fill")
        >>> fill.template, [str(parameter) for parameter in fill.with_arguments(["double"])]
        ((('T', None),), ['double* y', 'int n'])
    """

    name: str
    template: tuple[tuple[str, str | None], ...]
    parameters: tuple[Parameter, ...]

    def with_arguments(self, arguments: list[str]) -> tuple[Parameter, ...]:
        """The parameters of an instance.

        Args:
            arguments: the template arguments in C++; trailing ones may be left to their defaults.

        Returns:
            The parameters with the arguments put in.

        Raises:
            SignatureError: too many arguments, or too few.
        """
        if len(arguments) > len(self.template):
            raise SignatureError(f"kernel {self.name} has {len(self.template)} template parameters, "
                                 f"got {len(arguments)} arguments: {', '.join(arguments)}")
        values: dict[str, str] = {}
        for i, (name, default) in enumerate(self.template):
            value = arguments[i] if i < len(arguments) else default
            if value is None:
                raise SignatureError(f"kernel {self.name} needs a template argument for {name!r}")
            values[name] = _replace_names(value, values)
        return tuple(Parameter(p.name, _normal(_replace_names(p.type, values)), p.pointer) for p in self.parameters)


def scalar_type(spelling: str) -> np.dtype | None:
    """The NumPy type with the layout of a C++ scalar type.

    Args:
        spelling: the type in C++, in any of its spellings.

    Returns:
        The type; None when it is no scalar type, or has no fixed size.

    Examples:
        >>> from gpunet.kernel import signature
        >>> signature.scalar_type("long unsigned long"), signature.scalar_type("float4")
        (dtype('uint64'), None)
    """
    name = _SCALARS.get(_normal(spelling))
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name) if name else None


def spell(argument: Any) -> str:
    """A template argument in C++.

    Args:
        argument: a NumPy type, a bool, an int, or a string that is C++ already.

    Returns:
        Its spelling.

    Raises:
        SignatureError: the NumPy type has none.

    Examples:
        >>> from gpunet.kernel import signature
        >>> signature.spell(numpy.float32), signature.spell(True), signature.spell(4), signature.spell("Add")
        ('float', 'true', '4', 'Add')
    """
    if isinstance(argument, str):
        return argument
    if isinstance(argument, bool | np.bool_):
        return "true" if argument else "false"
    if isinstance(argument, int | np.integer):
        return str(int(argument))
    name = np.dtype(argument).name
    if name not in _SPELLINGS:
        raise SignatureError(f"no CUDA C++ type for the array type {name}")
    return _SPELLINGS[name]


def parse(text: str, name: str) -> Declaration:
    """The declaration of a kernel. Declarations made by macros are not seen.

    Args:
        text: CUDA C++.
        name: the `__global__` function's name.

    Returns:
        The declaration.

    Raises:
        SignatureError: the text has no such kernel, or one with parameters that a launch cannot pass.

    Examples:
        >>> from gpunet.kernel import signature
        >>> signature.parse("__global__ void fill(float* y, int n) {}", "fill").parameters[1]
        Parameter(name='n', type='int', pointer=False)
    """
    for found in _parsed(text, name):
        return found
    kernels = sorted({declared for declared, *_ in _declarations(_strip(text))})
    raise SignatureError(f"no kernel named {name!r}; the source declares: {', '.join(kernels) or 'none'}")


def _parsed(text: str, name: str) -> Iterator[Declaration]:
    """All declarations of a kernel, of which the preprocessor may leave one."""
    text = _strip(text)
    for declared, start, opening in _declarations(text):
        if declared == name:
            parameters, _ = _balanced(text, opening, "(", ")")
            aliases = _aliases(text)
            yield Declaration(name, _template_before(text, start),
                              tuple(_parameter(name, part, aliases) for part in _split(parameters)))


def kernels(text: str) -> dict[str, tuple[str, ...]]:
    """The kernels that a text declares, in order.

    Args:
        text: CUDA C++.

    Returns:
        The names of their template parameters by the kernels' names, which have their namespaces.

    Examples:
        >>> from gpunet.kernel import signature
        >>> signature.kernels("namespace ours { template <typename T, int N> __global__ void fill(T* y) {} }")
        {'ours::fill': ('T', 'N')}
    """
    text = _strip(text)
    return {_namespaces(text, start) + name: tuple(parameter for parameter, _ in _template_before(text, start))
            for name, start, _ in _declarations(text)}


def split_expression(expression: str) -> tuple[str, list[str]]:
    """The parts of a name expression.

    Args:
        expression: a kernel's name, and for a template its arguments.

    Returns:
        The name and the arguments.

    Examples:
        >>> from gpunet.kernel import signature
        >>> signature.split_expression("bias_relu<float, 4>")
        ('bias_relu', ['float', '4'])
    """
    name, bracket, rest = expression.partition("<")
    if not bracket:
        return name.strip(), []
    return name.strip(), _split(rest.strip().removesuffix(">"))


def parameters(text: str, expression: str) -> tuple[Parameter, ...]:
    """The parameters of a kernel, or of a template's instance.

    Args:
        text: CUDA C++.
        expression: the kernel's name, and for a template its arguments: "bias_relu<float,4>".

    Returns:
        The parameters.

    Raises:
        SignatureError: the text does not declare it so.

    Examples:
        >>> from gpunet.kernel import signature
        >>> text = "template <typename T> __global__ void scale(T* x, float by);"
        >>> [str(parameter) for parameter in signature.parameters(text, "scale<double>")]
        ['double* x', 'float by']
    """
    name, arguments = split_expression(expression)
    return parse(text, name).with_arguments(arguments)


def pointers(text: str, expression: str) -> tuple[Parameter | None, ...]:
    """The parameters of a kernel, or of a template's instance, that surely are pointers to scalars.

    Args:
        text: CUDA C++.
        expression: as in `parameters`.

    Returns:
        For each parameter itself, or None; nothing where the text declares several such kernels, or none that is
        understood.

    Examples:
        >>> from gpunet.kernel import signature
        >>> [str(each) for each in signature.pointers("__global__ void fill(float* y, int n, float4* z);", "fill")]
        ['float* y', 'None', 'None']
    """
    name, arguments = split_expression(expression)
    try:
        found = [each.with_arguments(arguments) for each in _parsed(text, name)]
    except SignatureError:
        return ()
    if len({tuple((each.type, each.pointer) for each in parameters) for parameters in found}) != 1:
        return ()
    macros = set(re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", text, flags=re.MULTILINE))
    return tuple(each if each.pointer and each.dtype is not None and macros.isdisjoint(re.findall(r"\w+", each.type))
                 else None for each in found[0])


def _strip(text: str) -> str:
    """Without comments and preprocessor lines."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", " ", text, flags=re.MULTILINE)


def _declarations(text: str) -> Iterator[tuple[str, int, int]]:
    """Of every `__global__` function its name, where `__global__` stands, and where its parameter list opens."""
    for match in re.finditer(r"\b__global__\b", text):
        if found := function_name(text, match.end()):
            yield found[0], match.start(), found[1]


def _namespaces(text: str, position: int) -> str:
    """"outer::inner::" for a place within named namespaces."""
    return "".join(match.group(1) + "::" for match in re.finditer(r"\bnamespace\s+([\w:]+)\s*(?=\{)", text[:position])
                   if _balanced(text, match.end(), "{", "}")[1] > position)


_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
_BESIDE_A_NAME = ("alignas", "noexcept", "requires", "_Pragma")  # _Pragma: of the simulator, before what it refuses


def function_name(text: str, start: int) -> tuple[str, int, dict[str, str]] | None:
    """The function declared from a place on: attributes may stand before its name, in any order, and behind it.

    Args:
        text: C++ without comments.
        start: where its declaration begins, or goes on.

    Returns:
        Its name, where its parameter list opens, and what stands in the brackets of its attributes, by their names;
        None where none is declared.

    Examples:
        >>> from gpunet.kernel import signature
        >>> signature.function_name("void __launch_bounds__(128) __cluster_dims__(2) fill(float* y) {}", 0)
        ('fill', 52, {'__launch_bounds__': '128', '__cluster_dims__': '2'})
    """
    found: list[tuple[str, int, str]] = []
    position = start
    while match := _CALL.search(text, position):
        between = text[position:match.start()]
        if "[[" in between and "]]" not in between and (end := text.find("]]", match.end())) >= 0:
            position = end + 2
            continue
        if re.search(r"[;{}=()\f]" if found else r"[;{}\f]", between) or found and ":" in between.replace("::", ""):
            break
        try:
            inside, position = _balanced(text, match.end() - 1, "(", ")")
        except SignatureError:
            break
        found.append((match.group(1), match.end() - 1, inside))
    names = [each for each in found if not each[0].startswith("__") and each[0] not in _BESIDE_A_NAME] or found[:1]
    if not names:
        return None
    name, opening, _ = names[-1]
    return name, opening, {attribute: inside for attribute, _, inside in found if attribute != name}


def _template_before(text: str, end: int) -> tuple[tuple[str, str | None], ...]:
    """Template parameters in front of the declaration that starts at `end`."""
    begin = max(text.rfind(character, 0, end) for character in ";}{")
    head = text[begin + 1 : end]
    match = re.search(r"\btemplate\s*(?=<)", head)
    if match is None:
        return ()
    inside, _ = _balanced(head, match.end(), "<", ">")
    result = []
    for part in _split(inside):
        declared, _, default = part.partition("=")
        result.append((re.findall(r"\w+", declared)[-1], default.strip() or None))
    return tuple(result)


def _parameter(kernel: str, text: str, aliases: dict[str, str]) -> Parameter:
    text = re.sub(r"\b(?:const|volatile|__restrict__|__restrict|__grid_constant__|struct)\b", " ", text)
    match = re.fullmatch(r"\s*(.+?)\s*(\**)\s*\b([A-Za-z_]\w*)\s*", text.replace("* *", "**"), flags=re.DOTALL)
    if match is None or "&" in text or "[" in text or len(match.group(2)) > 1:
        raise SignatureError(f"kernel {kernel}: cannot read the parameter {text.strip()!r}; "
                             "kernels take named scalars, structures and single pointers")
    return Parameter(match.group(3), _normal(_replace_names(match.group(1), aliases)), bool(match.group(2)))


def _aliases(text: str) -> dict[str, str]:
    """Simple type aliases of the source: `typedef unsigned int u32;` and `using u32 = unsigned int;`."""
    pairs = [(new, old) for old, new in re.findall(r"\btypedef\s+([\w\s]+?)\s+(\w+)\s*;", text)]
    pairs += re.findall(r"\busing\s+(\w+)\s*=\s*([\w\s]+?)\s*;", text)
    meanings: dict[str, set[str]] = {}
    for new, old in pairs:
        meanings.setdefault(new, set()).add(_normal(old))
    return {new: old for new, (old, *others) in meanings.items() if not others and scalar_type(old) is not None}


def _normal(spelling: str) -> str:
    """One spelling for the many of an integer type: `long long unsigned` -> `unsigned long long`."""
    words = spelling.split()
    if not set(words) <= {"unsigned", "signed", "int", "long", "short", "char"}:
        return " ".join(words)
    unsigned, longs = "unsigned" in words, words.count("long")
    if "char" in words:
        return "unsigned char" if unsigned else "signed char" if "signed" in words else "char"
    base = "short" if "short" in words else "long long" if longs == 2 else "long" if longs else "int"
    return f"unsigned {base}" if unsigned else base


def _replace_names(text: str, values: dict[str, str]) -> str:
    return re.sub(r"[A-Za-z_]\w*", lambda match: values.get(match.group(), match.group()), text)


def _balanced(text: str, start: int, opening: str, closing: str) -> tuple[str, int]:
    """Text between the bracket at `start` and its partner, and the position after the partner."""
    depth = 0
    for match in re.compile(f"[{opening}{closing}]").finditer(text, start):
        depth += 1 if match.group() == opening else -1
        if depth == 0:
            return text[start + 1 : match.start()], match.end()
    raise SignatureError(f"no matching {closing!r} for {text[start : start + 40]!r}")


def _split(text: str) -> list[str]:
    """Split at commas outside brackets."""
    parts, depth, begin = [], 0, 0
    for position, character in enumerate(text):
        if character in "(<[{":
            depth += 1
        elif character in ")>]}":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[begin:position].strip())
            begin = position + 1
    last = text[begin:].strip()
    return [*parts, last] if last or parts else []

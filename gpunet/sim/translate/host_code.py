"""Take out of a `.cu` text what only the host runs: `main`, launches, calls of the CUDA runtime, C++ containers.

Public kernels often stand in one file with the program that launches them. The simulator needs the kernels alone; here
functions, classes and variables that are plainly the host's become blanks, so that lines stay as they are. What is
marked `__device__` or `__global__` is always kept, and so is an unmarked function that could run on a device.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gpunet.kernel import signature

_LITERAL_OR_DIRECTIVE = re.compile(
    r"""(?P<directive>^[ \t]*\#(?:[^\n\\]|\\.)*)|"""
    r"""R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.S | re.M)

_DEVICE = re.compile(r"\b__(?:device|global|constant|shared|managed)__\b")
# Of the C++ library, what a kernel may use; the rest shows that a function is the host's.
STD_ON_DEVICE = (r"is_\w+|enable_if\w*|conditional\w*|remove_\w+|decay\w*|common_type\w*|integral_constant|true_type|"
                 r"false_type|index_sequence\w*|make_index_sequence|integer_sequence|make_integer_sequence|declval|"
                 r"numeric_limits|min|max|abs|forward|move|swap|pair|tuple|array|size_t|u?int\d+_t|bool_constant|"
                 r"nullptr_t|exp|log|sqrt|pow|sin|cos|tanh|floor|ceil|fabs|isnan|isinf|fma|void_t|underlying_type\w*|"
                 r"get|make_pair|make_tuple|tie|tuple_\w+|plus|minus|multiplies|divides|less|greater|clamp|complex|"
                 r"result_of\w*|invoke_result\w*|ptrdiff_t|byte|initializer_list|log1p|expm1|log2|exp2|erf|erfc|cbrt|"
                 r"tan|atan|atan2|asin|acos|sinh|cosh|round|trunc|fmin|fmax|fmod|signbit|isfinite|copysign|hypot")
_HOST = re.compile(
    r"<<<|\bmain\s*\(|"
    r"\bcuda[A-Z]\w*\s*[(&*<]|\bcuda(?:Error|Stream|Event|Graph\w*|MemPool)_t\b|\bcudaDeviceProp\b|\bcuda[A-Z]\w*\s+\w|"
    r"\bcu(?:blas|dnn|fft|sparse|solver)\w*|\bCU[A-Z]\w*_\w+\b|\bcu[A-Z]\w*\s*\(|\bnvrtc\w+|\bnvtx\w+|\bnccl\w+|"
    rf"\bstd::(?!(?:{STD_ON_DEVICE})\b)\w+|\b(?:cout|cerr|endl|vector\s*<|unordered_map\s*<|ifstream|ofstream)|"
    r"\b(?:torch|at|c10|pybind11|py|tensorflow)::|\b(?:TORCH_|PYBIND11_|AT_DISPATCH|TF_|XLA_)\w+|\bPyObject\b|"
    r"\b(?:FILE|fopen|fprintf|scanf|fscanf|srand|rand|exit|getenv|atoi|atof|gettimeofday|clock_gettime|getopt|fread|"
    r"fwrite|fclose|usleep|timeval|omp_\w+)\b|\btry\s*\{|\bthrow\b")
_DEVICE_ONLY = re.compile(r"\b(?:threadIdx|blockIdx|blockDim|gridDim|__syncthreads|__syncwarp|__shfl\w*|atomicAdd)\b")
_TYPE = re.compile(r"\s*(?:typedef\s+)?(?:struct|class|union|enum(?:\s+class)?)\s+"
                   r"(?:(?:__align__|alignas)\s*\([^)]*\)\s*)?"
                   r"([A-Za-z_]\w*)")
_BASE = re.compile(r"[:,]\s*(?:(?:public|protected|private|virtual)\s+)*([A-Za-z_]\w*)")
_ACCESS = re.compile(r"\s*(?:public|protected|private)\s*:")
_FUNCTION = re.compile(r"([A-Za-z_~]\w*)\s*\(")


@dataclass
class Item:
    """One declaration at namespace scope."""

    start: int
    end: int
    head: str   # up to the body, or all of it
    text: str   # without literals and preprocessor lines
    function: bool

    @property
    def name(self) -> str | None:
        """The name of the function or type that is defined."""
        if self.function and (kernel := re.search(r"\b__global__\b", self.head)):
            found = signature.function_name(self.head, kernel.end())
            return found[0] if found else None
        if self.function:
            head = re.sub(r"\b(?:__attribute__|__launch_bounds__|__align__|alignas|decltype|__declspec)\s*"
                          r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", " ", _without_template(self.head))
            found = _FUNCTION.search(head)
        else:  # only a definition gives a type its name
            found = _TYPE.match(_without_template(self.text)) if "{" in self.text else None
        return found.group(1) if found else None


def flat(code: str) -> str:
    """`code` with literals and preprocessor lines blank: what is left is declarations, at their places. Brackets that
    an #else repeats, and which the first branch has already opened or closed, are blank too."""
    conditions: list[tuple[str, int, int]] = []

    def blanked(match: re.Match[str]) -> str:
        if match["directive"] is not None and (found := _CONDITION.match(match["directive"])):
            conditions.append((found.group(1), match.start(), match.end()))
        return re.sub(r"[^\n]", " ", match.group())

    text = _LITERAL_OR_DIRECTIVE.sub(blanked, code)
    places = [place for start, end in _later_branches(conditions) for place in _unpaired(text, start, end)]
    if places:
        characters = list(text)
        for place in places:
            characters[place] = "\f"  # blank, but a place where something begins or ends
        text = "".join(characters)
    return text


_CONDITION = re.compile(r"^[ \t]*#[ \t]*(if|el|endif)", re.M)


def _later_branches(conditions: list[tuple[str, int, int]]) -> Iterator[tuple[int, int]]:
    """Beginning and end of what stands in #else and #elif, by all conditions of a text."""
    begins: list[int | None] = []  # of the branch at hand; None in the first
    for kind, start, end in conditions:
        if kind == "if":
            begins.append(None)
        elif begins:
            begin = begins.pop()
            if begin is not None:
                yield begin, start
            if kind == "el":
                begins.append(end)


def _unpaired(text: str, start: int, end: int) -> list[int]:
    """The places of brackets whose partners do not lie within."""
    found: list[int] = []
    for match in re.compile(r"[(){}]").finditer(text, start, end):
        if found and text[found[-1]] + match.group() in ("()", "{}"):
            found.pop()
        else:
            found.append(match.start())
    return found


_DIRECTIVE_LINE = re.compile(r"[ \t]*#[ \t]*(if|el|endif)?(?:[^\n\\]|\\.)*\n?|[ \t]*\n", re.S)


def behind(code: str, start: int, end: int) -> int:
    """The end of what lies between two places of the code; where that is in a condition of the preprocessor that begins
    after the start, the first place behind the condition at which code may stand."""
    depth = least = 0
    for match in _CONDITION.finditer(code, start, end):
        depth += {"if": 1, "endif": -1}.get(match.group(1), 0)
        least = min(least, depth)
    if depth == least:
        return end
    at = code.find("\n", end) + 1 or len(code)
    while at < len(code):
        line = _DIRECTIVE_LINE.match(code, at)
        if line is None and depth == least:
            break
        kind = line.group(1) if line else None
        if depth == least and kind in ("el", "endif"):
            return end
        depth += {"if": 1, "endif": -1}.get(kind or "", 0)
        at = line.end() if line else code.find("\n", at) + 1 or len(code)
    return at


def remove(code: str) -> str:
    """`code` without comments -> the same with the host's parts blank. Lines and columns stay."""
    declarations = items(flat(code))
    dropped, names = [], set()
    kept_names = {item.name for item in declarations if item.function and _DEVICE.search(item.head)}
    candidates = [item for item in declarations if not _is_device(item)]
    while True:
        mentions = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(names)))})\b") if names else None
        found = [item for item in candidates
                 if _is_host(item) or (mentions and mentions.search(item.text.replace("::", " ")))]
        if not found:
            break
        dropped += found
        candidates = [item for item in candidates if item not in found]
        names |= {item.name for item in found if item.name and item.name not in kept_names}
        names.discard("operator")
    bases = {name for item in declarations if item not in dropped for name in _BASE.findall(item.text)}
    for item in dropped:
        text = code[item.start:item.end]
        hollow = _without_host_members(text) if item.name in bases and not item.function else None
        keeps = hollow is not None and not _HOST.search(flat(hollow))
        code = code[:item.start] + (hollow if hollow and keeps else blank(text)) + code[item.end:]
    for item in declarations:
        if item not in dropped and item.name and not item.function and _HOST.search(item.text):
            code = code[:item.start] + _without_host_members(code[item.start:item.end]) + code[item.end:]
    return code


def _without_host_members(text: str) -> str:
    """A class without the member functions that are the host's, such as a constructor that allocates."""
    flat_text = flat(text)
    opening = flat_text.index("{")
    end = closing(flat_text, opening) or opening + 1
    for member in items(flat_text[opening + 1:end - 1]):
        if member.function and _is_host(member) and not _is_device(member):
            start, stop = (opening + 1 + place for place in (member.start, member.end))
            label = _ACCESS.match(flat_text, start)  # it stays: what follows is seen as before
            start = label.end() if label else start
            text = text[:start] + blank(text[start:stop]) + text[stop:]
    return text


def _is_device(item: Item) -> bool:
    if item.function:
        return _DEVICE.search(item.head) is not None
    return _DEVICE.search(item.text) is not None


def _is_host(item: Item) -> bool:
    if _DEVICE_ONLY.search(item.text) and "<<<" not in item.text:
        return False
    return _HOST.search(item.text) is not None or (item.function and re.search(r"\b__host__\b", item.head) is not None)


def blank(text: str) -> str:
    """Spaces, but for preprocessor lines: a conditional that opens here may close elsewhere."""
    parts, at = [], 0
    for match in _LITERAL_OR_DIRECTIVE.finditer(text):
        if match.group("directive") is not None:
            parts += [re.sub(r"[^\n]", " ", text[at:match.start()]), match.group()]
            at = match.end()
    return "".join([*parts, re.sub(r"[^\n]", " ", text[at:])])


def items(flat: str) -> list[Item]:
    """The declarations at namespace scope, also those within namespaces; none when brackets do not balance."""
    found, start, position, depth = [], 0, 0, 0
    token = re.compile(r"[(){};]")
    while match := token.search(flat, position):
        character, position = match.group(), match.end()
        if character == "(":
            position = closing(flat, match.start())
            if position is None:
                return []
        elif character == ";":
            found.append(Item(start, position, flat[start:position], flat[start:position], False))
            start = position
        elif character == "}":
            depth -= 1
            if depth < 0:
                return []
            start = position
        elif character == "{":
            head = flat[start:match.start()]
            if re.search(r"^\s*(?:inline\s+)?namespace\b[\w\s:]*$|^\s*extern\s*$", head):
                depth += 1
                start = position
                continue
            end = closing(flat, match.start())
            if end is None:
                return []
            if _is_function(head):
                found.append(Item(start, end, head, flat[start:end], True))
                start = end
            position = end
    return found if depth == 0 else []


def _is_function(head: str) -> bool:
    head = _without_template(head)
    before = head.partition("(")[0]
    return "(" in head and "=" not in re.sub(r"\boperator\s*[=!<>+\-*/%&|^]+", "", before)


def _without_template(head: str) -> str:
    """Without `template <...>` in front."""
    while match := re.match(r"\s*(?:extern\s+)?template\s*<", head):
        depth, position = 1, match.end()
        while depth and position < len(head):
            depth += {"<": 1, ">": -1}.get(head[position], 0)
            if head[position] == "(":
                position = (closing(head, position) or len(head)) - 1
            position += 1
        head = head[position:]
    return head


def closing(text: str, opening: int) -> int | None:
    """Position after the bracket that closes the one at `opening`."""
    depth = 0
    opens, closes = {"(": "()", "{": "{}"}[text[opening]]
    for match in re.compile(f"[{opens}{closes}]").finditer(text, opening):
        depth += 1 if match.group() == opens else -1
        if depth == 0:
            return match.end()
    return None

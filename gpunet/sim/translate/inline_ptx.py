"""Inline PTX of common kinds, as calls that the simulator understands; the rest is refused by name.

A statement `asm volatile("instruction" : outputs : inputs : clobbers)` is taken as text. Its instruction is looked up
in the table below, and its operands become arguments of functions in include/gpunet_sim/inline_ptx.h.
"""

import functools
import re

from gpunet.sim.translate import surface

_STATEMENT = re.compile(r"\b(?:asm|__asm__|__asm)\s*(?:volatile|__volatile__)?\s*\(")
_LITERAL = re.compile(r'"((?:\\.|[^"\\\n])*)"')

_NUMBER = r"(%\d+|-?(?:0x[0-9a-fA-F]+|\d+))"
_LIST = r"\{\s*(%\d+(?:\s*,\s*%\d+)*)\s*\}"
_CACHE = r"(?:\.(?:ca|cg|cs|lu|cv|nc|wb|wt|weak|L[12]::\w+(?:\.\w+)?))*"
_SHARED = r"\.shared(?:::cta|::cluster)?"
_SCOPE = r"(?:\.(?:cta|gpu|sys))?"
_OF_MEMORY = rf"(?:\.(relaxed|acquire|release|acq_rel))?{_SCOPE}\.global\.(add|min|max|and|or|xor|exch)"

# Pattern of the whole text, white space reduced -> C++. In it {n} is the pattern's n-th group with operands put in,
# {site} the place in the source and {P} the namespace of inline_ptx.h, in which the whole call is.
_TABLE = (
    (r"mov\.u32 (%\d+), %laneid", "put({0}, gpunet_sim::current->lane)"),
    (r"mov\.u32 (%\d+), %warpid", "put({0}, gpunet_sim::current->warp)"),
    (r"mov\.u32 (%\d+), %lanemask_(lt|le|eq|ge|gt)", "put({0}, {P}lanes_{1}())"),
    (r"mov\.u64 (%\d+), %(?:globaltimer|clock64)", "put({0}, __globaltimer({site}))"),
    (r"mov\.u32 (%\d+), %clock", "put({0}, (unsigned)__globaltimer({site}))"),
    (r"mov\.b32 (%\d+), (%\d+)", "put({0}, {1})"),
    (r"cvta\.to\.shared\.u(?:64|32) (%\d+), (%\d+)", "put({0}, __cvta_generic_to_shared((const void*)({1})))"),
    (r"\{ \.reg \.u64 (\w+); cvta\.to\.shared\.u64 \1, (%\d+); cvt\.u32\.u64 (%\d+), \1; \}",
     "put({2}, (unsigned)__cvta_generic_to_shared((const void*)({1})))"),
    (r"(?:bar|barrier)(?:\.cta)?\.sync(?:\.aligned)? 0(?:x0)?", "__syncthreads({site})"),
    (rf"(?:bar|barrier)(?:\.cta)?\.sync(?:\.aligned)? {_NUMBER}, {_NUMBER}",
     "gpunet_sim::named_barrier({0}, {1}, true, {site})"),
    (rf"(?:bar|barrier)(?:\.cta)?\.arrive(?:\.aligned)? {_NUMBER}, {_NUMBER}",
     "gpunet_sim::named_barrier({0}, {1}, false, {site})"),
    (r"membar\.cta|fence\.\w+\.cta", "__threadfence_block()"),
    (r"membar\.(?:gl|sys)|fence\.\w+\.(?:gpu|sys)", "__threadfence()"),
    (r"trap", "__trap({site})"),
    (rf"nanosleep\.u32 {_NUMBER}", "__nanosleep({0}, {site})"),
    (rf"prefetch\S* \[{_NUMBER}\]|griddepcontrol\.\w+|setmaxnreg\S* \S+|fence\.(?:proxy|mbarrier_init)\S*", "(void)0"),
    (rf"cp\.async\.c[ag]{_SHARED}\.global(?:\.L2::\w+)? \[{_NUMBER}\], \[{_NUMBER}\], {_NUMBER}",
     "copy({0}, {1}, {2}, {2}, {site})"),
    (rf"cp\.async\.c[ag]{_SHARED}\.global(?:\.L2::\w+)? \[{_NUMBER}\], \[{_NUMBER}\], {_NUMBER}, {_NUMBER}",
     "copy({0}, {1}, {2}, {3}, {site})"),
    (r"cp\.async\.commit_group", "gpunet_sim::commit_copies()"),
    (rf"cp\.async\.wait_group {_NUMBER}", "gpunet_sim::finish_copies({0})"),
    (r"cp\.async\.wait_all", "(gpunet_sim::commit_copies(), gpunet_sim::finish_copies(0))"),
    (rf"ldmatrix\.sync\.aligned\.m8n8\.x[124]{_SHARED}\.b16 {_LIST}, \[{_NUMBER}\]",
     "load<false>({1}, {site}, {0})"),
    (rf"ldmatrix\.sync\.aligned\.m8n8\.x[124]\.trans{_SHARED}\.b16 {_LIST}, \[{_NUMBER}\]",
     "load<true>({1}, {site}, {0})"),
    (rf"ldmatrix\.sync\.aligned\.m8n8\.x[124]\.b16 {_LIST}, \[{_NUMBER}\]", "load<false>({P}shared({1}), {site}, {0})"),
    (rf"ldmatrix\.sync\.aligned\.m8n8\.x[124]\.trans\.b16 {_LIST}, \[{_NUMBER}\]",
     "load<true>({P}shared({1}), {site}, {0})"),
    (rf"stmatrix\.sync\.aligned\.m8n8\.x[124]{_SHARED}\.b16 \[{_NUMBER}\], {_LIST}", "store<false>({0}, {site}, {1})"),
    (rf"stmatrix\.sync\.aligned\.m8n8\.x[124]\.trans{_SHARED}\.b16 \[{_NUMBER}\], {_LIST}",
     "store<true>({0}, {site}, {1})"),
    (rf"mma\.sync\.aligned\.m16n8k(16|8|4)\.row\.col\.(f32|f16)\.(bf16|f16|tf32)\.\3\.\2 "
     rf"{_LIST}, {_LIST}, {_LIST}, {_LIST}",
     "multiply(gpunet_sim::mma_m16n8k{0}_{2}, {site}, {P}out({3}), {P}in({4}), {P}in({5}), {P}in({6}))"),
    (rf"ld\.global{_CACHE}(?:\.v[24])?\.([fbus]\d+) (?:{_LIST}|(%\d+)), \[{_NUMBER}\]",
     "read<{P}sizeof_{0}>((const char*)({3}), {1}{2})"),
    (rf"ld{_SHARED}{_CACHE}(?:\.v[24])?\.([fbus]\d+) (?:{_LIST}|(%\d+)), \[{_NUMBER}\]",
     "read<{P}sizeof_{0}>((const char*)__cvta_shared_to_generic({3}), {1}{2})"),
    (rf"st\.global{_CACHE}(?:\.v[24])?\.([fbus]\d+) \[{_NUMBER}\], (?:{_LIST}|(%\d+))",
     "write<{P}sizeof_{0}>((char*)({1}), {2}{3})"),
    (rf"st{_SHARED}{_CACHE}(?:\.v[24])?\.([fbus]\d+) \[{_NUMBER}\], (?:{_LIST}|(%\d+))",
     "write<{P}sizeof_{0}>((char*)__cvta_shared_to_generic({1}), {2}{3})"),
    (rf"ld(?:\.global)?\.(?:acquire|relaxed){_SCOPE}(?:\.global)?\.([busf]\d+) (%\d+), \[(%\d+)\]",
     "put({1}, {P}load_flag<{P}type_{0}>({2}, {site}))"),
    (rf"st(?:\.global)?\.(relaxed|release){_SCOPE}(?:\.global)?\.([busf]\d+) \[(%\d+)\], {_NUMBER}",
     "store_flag<{P}type_{1}, {P}order_{0}>({2}, {3}, {site})"),
    (r"ld(?:\.global)?\.volatile(?:\.global)?\.([busf]\d+) (%\d+), \[(%\d+)\]",
     "put({1}, *(const volatile {P}type_{0}*)({2}))"),
    (rf"st(?:\.global)?\.volatile(?:\.global)?\.([busf]\d+) \[(%\d+)\], {_NUMBER}",
     "(void)(*(volatile {P}type_{0}*)({1}) = {P}as<{P}type_{0}>({2}))"),
    (rf"red{_OF_MEMORY}\.([busf]\d+) \[(%\d+)\], {_NUMBER}",
     "atomic_{1}<{P}type_{2}, {P}order_{0}>({3}, {4}, {site})"),
    (rf"atom{_OF_MEMORY}\.([busf]\d+) (%\d+), \[(%\d+)\], {_NUMBER}",
     "put({3}, {P}atomic_{1}<{P}type_{2}, {P}order_{0}>({4}, {5}, {site}))"),
    (rf"atom(?:\.(relaxed|acquire|release|acq_rel))?{_SCOPE}\.global\.cas\.(b\d+) "
     rf"(%\d+), \[(%\d+)\], {_NUMBER}, {_NUMBER}",
     "put({2}, {P}atomic_cas<{P}type_{1}, {P}order_{0}>({3}, {4}, {5}, {site}))"),
    (rf"shfl\.sync\.(bfly|down|up|idx)\.b32 (%\d+), (%\d+), {_NUMBER}, {_NUMBER}, {_NUMBER}",
     "put({1}, {P}shuffle_{0}({5}, {P}word({2}), {3}, {P}width({4}), {site}))"),
    (rf"(add|sub|min|max)(?:\.rn)?(?:\.ftz)?\.([usf](?:16|32|64)) (%\d+), {_NUMBER}, {_NUMBER}",
     "put({2}, {P}{0}<{P}type_{1}>({3}, {4}))"),
    (rf"mul(?:\.lo|\.rn)?(?:\.ftz)?\.([usf](?:16|32|64)) (%\d+), {_NUMBER}, {_NUMBER}",
     "put({1}, {P}mul<{P}type_{0}>({2}, {3}))"),
    (rf"mul\.wide\.([us](?:16|32)) (%\d+), {_NUMBER}, {_NUMBER}", "put({1}, {P}mul_wide<{P}type_{0}>({2}, {3}))"),
    (rf"mul\.hi\.u32 (%\d+), {_NUMBER}, {_NUMBER}", "put({0}, __umulhi({1}, {2}))"),
    (rf"mad\.lo\.([us](?:16|32|64)) (%\d+), {_NUMBER}, {_NUMBER}, {_NUMBER}",
     "put({1}, {P}add<{P}type_{0}>({P}mul<{P}type_{0}>({2}, {3}), {4}))"),
    (rf"(and|or|xor|shl|shr)\.([bus](?:16|32|64)) (%\d+), {_NUMBER}, {_NUMBER}",
     "put({2}, {P}bits_{0}<{P}type_{1}>({3}, {4}))"),
    (rf"bfe\.([us]32) (%\d+), {_NUMBER}, {_NUMBER}, {_NUMBER}",
     "put({1}, {P}field<{P}type_{0}>({2}, {3}, {4}))"),
    (rf"(popc|clz|brev)\.b32 (%\d+), {_NUMBER}", "put({1}, __{0}({2}))"),
    (r"cvt\.rn\.(bf16|f16)x2\.f32 (%\d+), (%\d+), (%\d+)", "put({1}, {P}pair_{0}({2}, {3}))"),
    (r"(add|sub|mul)(?:\.rn)?\.(bf16|f16)x2 (%\d+), (%\d+), (%\d+)",
     "put({2}, {P}halves<{P}half_{1}>({3}, {4}, 0u, [](float a, float b, float) { return {P}{0}<float>(a, b); }))"),
    (r"fma\.rn\.(bf16|f16)x2 (%\d+), (%\d+), (%\d+), (%\d+)",
     "put({1}, {P}halves<{P}half_{0}>({2}, {3}, {4}, [](float a, float b, float c) { return fmaf(a, b, c); }))"),
    (r"mov\.b64 (%\d+), \{\s*(%\d+), (%\d+)\}", "put({0}, {P}joined({1}, {2}))"),
    (r"mov\.b64 \{\s*(%\d+), (%\d+)\}, (%\d+)", "split({2}, {0}, {1})"),
    (r"mov\.u32 (%\d+), %smid", "put({0}, blockIdx.x % 132)"),
    (r"ex2\.approx(?:\.ftz)?\.f32 (%\d+), (%\d+)", "put({0}, exp2f({1}))"),
    (r"lg2\.approx(?:\.ftz)?\.f32 (%\d+), (%\d+)", "put({0}, log2f({1}))"),
    (r"rcp\.(?:approx|rn)(?:\.ftz)?\.f32 (%\d+), (%\d+)", "put({0}, 1.0f / ({1}))"),
    (r"rsqrt\.approx(?:\.ftz)?\.f32 (%\d+), (%\d+)", "put({0}, rsqrtf({1}))"),
    (r"(sqrt|sin|cos|tanh)\.approx(?:\.ftz)?\.f32 (%\d+), (%\d+)", "put({1}, {0}f({2}))"),
    (r"cvt\.rna\.tf32\.f32 (%\d+), (%\d+)", "put({0}, gpunet_sim::round_to_tf32({1}))"),
    (r"fma\.rn(?:\.ftz)?\.f32 (%\d+), (%\d+), (%\d+), (%\d+)", "put({0}, fmaf({1}, {2}, {3}))"),
    (rf"lop3\.b32 (%\d+), {_NUMBER}, {_NUMBER}, {_NUMBER}, {_NUMBER}", "put({0}, {P}logic({1}, {2}, {3}, {4}))"),
    (rf"prmt\.b32 (%\d+), {_NUMBER}, {_NUMBER}, {_NUMBER}", "put({0}, __byte_perm({1}, {2}, {3}))"),
)  # fmt: skip


@functools.cache
def _instructions() -> list[tuple[re.Pattern[str], str]]:
    """The table, when a first statement needs it."""
    return [(re.compile(re.sub(r"([,;{])[ ]| (?=\\\\\})", r"\1", pattern)), code) for pattern, code in _TABLE]


_MATRICES = re.compile(r"((?:ld|st)matrix\.sync\.aligned)((?:\.[\w:]+)+)")

# What to use instead, by the beginning of an instruction.
_REMEDIES = (
    ("cp.async.bulk", "tma_load_* and tma_store_*"), ("cp.async", "cp_async4, cp_async8 and cp_async16"),
    ("ldmatrix", "ldmatrix_x*"), ("stmatrix", "stmatrix_x*"), ("mma.", "mma_*"), ("wgmma", "wgmma_* of wgmma.cuh"),
    ("mbarrier", "mbar_*"), ("bar", "bar_sync and bar_arrive"), ("setmaxnreg", "setmaxnreg_*"),
    ("red.", "atomicAdd and its like"), ("atom.", "atomicAdd and its like"), ("shfl", "__shfl_sync and its like"),
    ("vote", "__ballot_sync and its like"),
)  # fmt: skip


def translate(code: str) -> str:
    """`code` with inline PTX translated; what is not understood becomes an error that names the instruction."""
    position = 0
    while match := _STATEMENT.search(code, position):
        end = _closing(code, match.end() - 1)
        statement = code[match.end():end - 1]
        call, text = _call(re.sub(r"\\\n", " ", statement))
        call = call or surface.error(_message(text))
        breaks = ("\\\n" if "\\\n" in statement else "\n") * statement.count("\n")  # a macro goes on to the next line
        code = code[:match.start()] + call + breaks + code[end:]
        position = match.start() + len(call)
    return code


def _message(text: str) -> str:
    instructions = re.findall(r"(?:^|[;{ ])([a-z][a-z0-9]*(?:\.[\w:]+)+)", text)
    for instruction in instructions:
        for beginning, wrappers in _REMEDIES:
            if instruction.startswith(beginning):
                return f"asm: inline PTX ({instruction}) is not simulated; use {wrappers} of ptx.cuh"
    return (f"asm: inline PTX ({instructions[0] if instructions else text[:40]}) is not simulated; put the instruction "
            "behind a wrapper in ptx.cuh")


def _call(statement: str) -> tuple[str | None, str]:
    """(C++ in place of an asm statement or None, the instruction's text)."""
    sections = _sections(statement)
    literals = _LITERAL.findall(sections[0])
    if re.sub(r"\s", "", _LITERAL.sub("", sections[0])):
        return None, " ".join(literals)  # made up by macros
    text = "".join(re.sub(r"\\[nt]", " ", literal) for literal in literals)
    text = re.sub(r"\s+", " ", text.replace("%%", "%")).strip()
    text = re.sub(r"\s+(?=[,;}\]])", "", re.sub(r"([,;{\[])\s+", r"\1", text)).rstrip(";")
    if re.fullmatch(r"\{[^{};]*(?:\{[^}]*\}[^{};]*)*;\}", text):
        text = text[1:-2]  # one instruction in a scope of its own
    text = _MATRICES.sub(_in_order, text)
    operands = [expression for section in sections[1:3] for expression in _operands(section)]
    for pattern, code in _instructions():
        if found := pattern.fullmatch(text):
            groups = [_put_operands(group or "", operands) for group in found.groups()]
            call = re.sub(r"\{(\d)\}", lambda m: groups[int(m.group(1))], code)  # noqa: B023
            call = call.replace("{site}", "gpunet_sim::Site::here()").replace("{P}", "gpunet_sim::ptx::")
            known = re.match(r"gpunet_sim::|__|\(", call)
            return (call if known else f"gpunet_sim::ptx::{call}"), text
    if not text:
        return "(void)0", text  # only keeps the compiler from moving memory accesses
    return None, text


def _in_order(matrices: re.Match) -> str:
    """The qualifiers in the PTX manual's order; ptxas takes them in any, as in ldmatrix.sync.aligned.x4.m8n8.shared."""
    places = {"m8n8": 0, "x1": 1, "x2": 1, "x4": 1, "trans": 2, "b16": 4}
    qualifiers = sorted(matrices[2].split(".")[1:], key=lambda qualifier: places.get(qualifier, 3))
    return ".".join([matrices[1], *qualifiers])


def _put_operands(text: str, operands: list[str]) -> str:
    return re.sub(r"%(\d+)", lambda match: operands[int(match.group(1))], text)


def _sections(statement: str) -> list[str]:
    """Template, outputs, inputs, clobbers: split at colons outside of brackets and literals."""
    sections, depth = [""], 0
    for token in re.findall(r'"(?:\\.|[^"\\\n])*"|.', statement, re.S):
        depth += (token in "([{") - (token in ")]}") if len(token) == 1 else 0
        if token == ":" and depth == 0:
            sections.append("")
        else:
            sections[-1] += token
    return [*sections, "", "", ""]


def _operands(section: str) -> list[str]:
    """The expressions of `"=r"(expression), ...`."""
    found, position = [], 0
    while match := re.compile(r'"[^"]*"\s*\(').search(section, position):
        position = _closing(section, match.end() - 1)
        found.append("(" + section[match.end():position - 1].strip() + ")")
    return found


def _closing(text: str, opening: int) -> int:
    """Position after the bracket that closes the one at `opening`; brackets in literals do not count."""
    depth = 0
    for match in re.compile(r'"(?:\\.|[^"\\\n])*"|[()]').finditer(text, opening):
        depth += {"(": 1, ")": -1}.get(match.group(), 0)
        if depth == 0:
            return match.end()
    return len(text)

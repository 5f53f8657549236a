"""The checker: runs a kernel with hooks at each access, in a process of its own, and tells its mistakes.

    checking.py    `check` and `checked`; arrays.py  their arguments
    process.py     the parent's side of the process; worker.py  what runs in it
    locate.py      from the runtime's records to findings
    finding.py     findings, and how they are written; snippet.py  a source line with marks

The hooks are C++: gpunet/sim/runtime/check/.
"""

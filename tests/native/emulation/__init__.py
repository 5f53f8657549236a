"""Native kernels of another processor, run by an emulator, while Python stays on this one."""

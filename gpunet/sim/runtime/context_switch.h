// Changing from one stack to another: saves what a call must preserve, and nothing else.
#pragma once
#include <stdint.h>
#include <string.h>

// Saves the running context's stack pointer to *save and goes on where `to` was saved.
extern "C" void gpunet_sim_switch(void** save, void* to);

#if defined(__x86_64__)
asm(R"(.text
.p2align 4
.type gpunet_sim_switch,@function
gpunet_sim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size gpunet_sim_switch,.-gpunet_sim_switch
)");
#elif defined(__aarch64__)
asm(R"(.text
.p2align 4
.type gpunet_sim_switch,%function
gpunet_sim_switch:
  sub sp,sp,#176
  stp x19,x20,[sp,#0]
  stp x21,x22,[sp,#16]
  stp x23,x24,[sp,#32]
  stp x25,x26,[sp,#48]
  stp x27,x28,[sp,#64]
  stp x29,x30,[sp,#80]
  stp d8,d9,[sp,#96]
  stp d10,d11,[sp,#112]
  stp d12,d13,[sp,#128]
  stp d14,d15,[sp,#144]
  mov x9,sp
  str x9,[x0]
  mov sp,x1
  ldp x19,x20,[sp,#0]
  ldp x21,x22,[sp,#16]
  ldp x23,x24,[sp,#32]
  ldp x25,x26,[sp,#48]
  ldp x27,x28,[sp,#64]
  ldp x29,x30,[sp,#80]
  ldp d8,d9,[sp,#96]
  ldp d10,d11,[sp,#112]
  ldp d12,d13,[sp,#128]
  ldp d14,d15,[sp,#144]
  add sp,sp,#176
  ret
.size gpunet_sim_switch,.-gpunet_sim_switch
)");
#else
#error "gpunet's simulator runs on x86-64 and aarch64"
#endif

namespace gpunet_sim {

// A saved context that starts `entry` on an empty stack whose highest address is `top` (16-byte aligned).
inline void* new_context(char* top, void (*entry)()) {
  void** words = (void**)top;
#if defined(__x86_64__)
  constexpr int kWords = 8;  // six registers, where `ret` goes, and a word that aligns the stack as after a call
  constexpr int kEntry = 6;
#else
  constexpr int kWords = 22;
  constexpr int kEntry = 11;  // x30, where `ret` goes
#endif
  memset(words - kWords, 0, kWords * sizeof(void*));
  words[kEntry - kWords] = (void*)entry;
  return words - kWords;
}

}  // namespace gpunet_sim

// An access through a null pointer, which has been told, is stepped over, so that the launch goes on as after any wild
// address: a read gives zeros. There is no memory to be had at address 0, so the one instruction gets another address.
#pragma once
#include <signal.h>
#include <ucontext.h>

namespace gpunet_sim {

constexpr size_t kNullPage = 65536;  // below it a pointer counts as null

#if defined(__x86_64__)
constexpr bool kStepsOverNull = true;

class NullPointers {
 public:
  // In the handler of SIGSEGV. False when it is none of these accesses, or its instruction is a rare one.
  bool step_over(ucontext_t* context, const char* address) {
    greg_t* registers = context->uc_mcontext.gregs;
    if (!current || address >= (const char*)kNullPage || stepping_ >= 0) return false;
    if ((size_t)registers[REG_RIP] < kNullPage) return false;  // a call through a null pointer
    int base = base_register((const uint8_t*)registers[REG_RIP]);
    if (base < 0) return false;
    if (!memory_ && !(memory_ = reserve(3 * kNullPage))) return false;
    memset(memory_ + kNullPage + (size_t)address, 0, 64);
    stepping_ = kRegisters[base];
    before_ = registers[stepping_];
    lent_ = before_ + (greg_t)(memory_ + kNullPage);
    registers[stepping_] = lent_;
    registers[REG_EFL] |= kTrap;
    return true;
  }
  // In the handler of SIGTRAP, behind that instruction.
  bool stepped(ucontext_t* context) {
    if (stepping_ < 0) return false;
    greg_t* registers = context->uc_mcontext.gregs;
    if (registers[stepping_] == lent_) registers[stepping_] = before_;  // else it is what has been loaded
    registers[REG_EFL] &= ~kTrap;
    stepping_ = -1;
    return true;
  }

 private:
  static constexpr greg_t kTrap = 0x100;
  static constexpr int kRegisters[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                         REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

  // The number of the register that the instruction's address begins with: of its prefixes, opcode and ModRM byte.
  static int base_register(const uint8_t* code) {
    unsigned extension = 0;  // the bit of REX, VEX or EVEX that belongs to the register
    while (*code == 0x66 || *code == 0xf2 || *code == 0xf3 || *code == 0xf0 || *code == 0x2e || *code == 0x3e) code++;
    if (*code == 0xc5) {  // VEX of two bytes: no extension
      code += 3;
    } else if (*code == 0xc4) {
      extension = !(code[1] & 0x20);
      code += 4;
    } else if (*code == 0x62) {
      extension = !(code[1] & 0x20);
      code += 5;
    } else {
      if ((*code & 0xf0) == 0x40) extension = *code++ & 1;
      if (*code == 0x0f) {
        code++;
        if (*code == 0x38 || *code == 0x3a) code++;
      } else if ((*code >= 0xa0 && *code <= 0xaf) || (*code >= 0x6c && *code <= 0x6f)) {
        return -1;  // those of strings, and those with a whole address, have no ModRM byte
      }
      code++;
    }
    unsigned mode = *code >> 6, low = *code & 7;
    if (mode == 3) return -1;
    if (low == 4) {  // a SIB byte follows
      low = code[1] & 7;
      if (low == 5 && mode == 0) return -1;
    } else if (low == 5 && mode == 0) {
      return -1;  // relative to the instruction
    }
    return int(low + 8 * extension);
  }

  char* memory_ = nullptr;
  int stepping_ = -1;
  greg_t before_ = 0, lent_ = 0;
};

#else
constexpr bool kStepsOverNull = false;

class NullPointers {
 public:
  bool step_over(ucontext_t*, const char*) { return false; }
  bool stepped(ucontext_t*) { return false; }
};
#endif

inline NullPointers null_pointers;

}  // namespace gpunet_sim

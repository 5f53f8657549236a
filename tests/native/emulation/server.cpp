// Carries out kernel calls that another process describes: on stdin a kernel's name and a piece of memory that holds its
// arguments and arrays, with the places in it that are pointers; on stdout the memory after the call.
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

static void take(void* to, size_t size) {
  if (size && fread(to, 1, size, stdin) != size) exit(0);
}

int main(int, char** words) {
  void* library = dlopen(words[1], RTLD_NOW);
  if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
  for (;;) {
    int64_t sizes[3];  // of the name, of the memory, number of pointers
    take(sizes, sizeof(sizes));
    std::string name(sizes[0], 0);
    take(&name[0], sizes[0]);
    char* memory = static_cast<char*>(aligned_alloc(64, (sizes[1] + 127) / 64 * 64));
    take(memory, sizes[1]);
    std::vector<int64_t> pointers(sizes[2]);
    take(pointers.data(), sizes[2] * sizeof(int64_t));
    for (int64_t at : pointers) {
      int64_t offset;
      memcpy(&offset, memory + at, sizeof(offset));
      char* address = memory + offset;
      memcpy(memory + at, &address, sizeof(address));
    }
    void* entry = dlsym(library, name.c_str());
    if (!entry) return fprintf(stderr, "no kernel %s\n", name.c_str()), 1;
    reinterpret_cast<void (*)(const void*)>(entry)(memory);
    fwrite(memory, 1, sizes[1], stdout);
    fflush(stdout);
    free(memory);
  }
}

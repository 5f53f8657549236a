// Makes a kernel callable from the launcher: one entry that unpacks the arguments, one that describes them.
#pragma once

namespace gpunet_sim {

template <class A>
constexpr Parameter describe() {
  return {unsigned(sizeof(A)), unsigned(alignof(A)),
          std::is_pointer_v<A>                                 ? 'p'
          : std::is_integral_v<A> || std::is_enum_v<A>         ? 'i'
          : std::is_floating_point_v<A>                        ? 'f'
          : IsHalf<A>::value                                   ? 'h'
                                                               : 's'};
}

template <class F> struct Entry;
template <class... A>
struct Entry<void (*)(A...)> {
  static constexpr Parameter parameters[sizeof...(A) + 1] = {describe<std::remove_cv_t<A>>()..., {0, 0, 0}};

  // Each argument lies at the next multiple of its alignment, as in CUDA's own parameter buffer.
  static constexpr size_t offset(size_t index) {
    size_t at = 0;
    for (size_t i = 0;; i++) {
      at = (at + parameters[i].align - 1) / parameters[i].align * parameters[i].align;
      if (i == index) return at;
      at += parameters[i].size;
    }
  }
  template <size_t... I>
  static void unpack(void (*kernel)(A...), const char* arguments, std::index_sequence<I...>) {
    kernel(*(std::remove_cv_t<A>*)(arguments + std::integral_constant<size_t, offset(I)>::value)...);
  }
  static void call(void (*kernel)(A...), const char* arguments) {
    unpack(kernel, arguments, std::index_sequence_for<A...>());
  }
};

}  // namespace gpunet_sim

#define GPUNET_SIM_EXPORT(number, ...)                                                                        \
  extern "C" __attribute__((visibility("default"))) void gpunet_sim_kernel_##number(const char* arguments) {  \
    gpunet_sim::Entry<decltype(&__VA_ARGS__)>::call(&__VA_ARGS__, arguments);                                 \
  }                                                                                                           \
  extern "C" __attribute__((visibility("default"))) const gpunet_sim::Parameter*                              \
      gpunet_sim_parameters_##number() {                                                                      \
    return gpunet_sim::Entry<decltype(&__VA_ARGS__)>::parameters;                                             \
  }

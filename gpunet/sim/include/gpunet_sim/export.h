// Makes a kernel callable from the launcher: one entry that unpacks the arguments, one that describes them.
#pragma once

namespace gpunet_sim {

template <class T>
constexpr char kind_of() {
  return std::is_void_v<T>                            ? 'v'
         : std::is_pointer_v<T>                       ? 'p'
         : std::is_integral_v<T> || std::is_enum_v<T> ? 'i'
         : std::is_floating_point_v<T>                ? 'f'
         : IsHalf<T>::value                           ? 'h'
                                                      : 's';
}
// Zero where it is not known: of void, and of a structure that is only declared.
template <class T, class = void> constexpr unsigned kSizeOf = 0;
template <class T> constexpr unsigned kSizeOf<T, std::void_t<decltype(sizeof(T))>> = std::is_void_v<T> ? 0 : sizeof(T);

template <class T>
constexpr const char* spelled() { return __PRETTY_FUNCTION__; }

template <class A>
constexpr Parameter describe() {
  using Element = std::remove_cv_t<std::remove_pointer_t<A>>;
  return {unsigned(sizeof(A)), unsigned(alignof(A)), kind_of<A>(), kind_of<Element>(), kSizeOf<Element>,
          spelled<Element>()};
}

template <class F> struct Entry;
template <class... A>
struct Entry<void (*)(A...)> {
  static constexpr Parameter parameters[sizeof...(A) + 1] = {describe<std::remove_cv_t<A>>()..., {}};

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

namespace gpunet_sim {
template <class T> using Type = T;
}

// Of a kernel, or of one of several with one name: the type of a pointer to it says which.
#define GPUNET_SIM_EXPORT(number, ...) GPUNET_SIM_EXPORT_AS(number, decltype(&__VA_ARGS__), __VA_ARGS__)
#define GPUNET_SIM_EXPORT_AS(number, type, ...)                                                               \
  extern "C" __attribute__((visibility("default"))) void gpunet_sim_kernel_##number(const char* arguments) {  \
    gpunet_sim::Entry<type>::call((type)&__VA_ARGS__, arguments);                                                   \
  }                                                                                                           \
  extern "C" __attribute__((visibility("default"))) const gpunet_sim::Parameter*                              \
      gpunet_sim_parameters_##number() {                                                                      \
    return gpunet_sim::Entry<type>::parameters;                                                               \
  }

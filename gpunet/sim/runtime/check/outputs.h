// Outputs of which a launch leaves elements unwritten: told at its end, when nothing worse is.
#pragma once

namespace gpunet_sim {

struct Output {
  const char* data;
  size_t size;
  unsigned element;  // bytes
};
inline std::vector<Output> outputs;

inline void report_unwritten(Report& report) {
  for (const ArrayArgument& a : launch_arrays)
    for (const Output& output : outputs) {
      if (output.data != a.allocation.data || !output.element) continue;
      size_t count = output.size / output.element, missing = 0, first = 0;
      for (size_t i = count; i-- > 0;)
        if (!(shadow.state(output.data + i * output.element) & kInitialised)) missing++, first = i;
      if (!missing) continue;
      Element element;
      element.argument = a.argument;
      element.place = a.place;
      element.offset = output.data + first * output.element - a.pointer;
      Mistake mistake = {Kind::Unwritten,
                         missing == count ? "nothing has written any of its elements"
                                          : format("nothing has written %zu of its %zu elements", missing, count),
                         {}, {}, element, {}};
      mistake.mild = true;
      report.add(mistake);
    }
}

}  // namespace gpunet_sim

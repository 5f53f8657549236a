// Program: kept calls, repeated; chains of element-wise ones together (../chains.h).
#pragma once
#include <utility>

#include "calls.h"

using gpunet::cpu::Link;
using gpunet::cpu::Product;

namespace {

struct Chain {
  Py_ssize_t first;  // number of its first step
  Product product;   // in front of the links, if it has an entry
  std::vector<Link> links;
  int slots = 0, hidden = 0;

  Py_ssize_t before() const { return product.entry ? 1 : 0; }
  Py_ssize_t calls() const { return before() + static_cast<Py_ssize_t>(links.size()); }
};

struct Program {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  PyObject* steps;  // tuple of Call objects and of Python functions without arguments
  Entry run_chain;
  std::vector<Chain>* found;
  PyObject* chains;     // of each: its first step, and how many calls and hidden arrays it has
  PyObject* unwritten;  // list of the hidden arrays
};

PyObject* program_call(PyObject* self, PyObject* const*, size_t, PyObject*) {
  const Program* program = reinterpret_cast<Program*>(self);
  const Py_ssize_t count = PyTuple_GET_SIZE(program->steps);
  PyObject** items = &PyTuple_GET_ITEM(program->steps, 0);
  auto chain = program->found->begin();
  for (Py_ssize_t i = 0; i < count;) {
    if (Py_TYPE(items[i]) != &call_type) {
      PyObject* result = PyObject_CallNoArgs(items[i++]);
      if (!result) return nullptr;
      Py_DECREF(result);
      continue;
    }
    Py_ssize_t end = i;
    while (end < count && Py_TYPE(items[end]) == &call_type) end++;
    Py_BEGIN_ALLOW_THREADS
    while (i < end) {
      if (chain != program->found->end() && chain->first == i) {
        Arg args[4];
        args[0].p = chain->links.data();
        args[1].i = static_cast<int64_t>(chain->links.size());
        args[2].i = chain->slots;
        args[3].p = chain->product.entry ? &chain->product : nullptr;
        program->run_chain(args);
        i += chain->calls();
        chain++;
      } else {
        const Call* call = reinterpret_cast<Call*>(items[i++]);
        call->entry(call->args);
      }
    }
    Py_END_ALLOW_THREADS
    if (PyErr_CheckSignals()) return nullptr;
  }
  Py_RETURN_NONE;
}

// Gives the arrays that nobody sees outside of a chain their slots, and adds them to `unwritten`: those in `hidden`, of
// which all steps that may touch them are the chain's, and which are written there before they are read.
bool hide(Chain& chain, PyObject* steps, PyObject* hidden, PyObject* unwritten) {
  struct Place {
    size_t link;
    int array;
  };
  const auto kept_by = [&](Py_ssize_t step) { return reinterpret_cast<Call*>(PyTuple_GET_ITEM(steps, chain.first + step))->kept; };
  std::vector<std::pair<PyObject*, std::vector<Place>>> found;
  PyObject* result = chain.product.entry ? PyTuple_GET_ITEM(kept_by(0), 0) : nullptr;
  if (result) found.push_back({result, {}});
  for (size_t k = 0; k < chain.links.size(); k++) {
    const PyObject* kept = kept_by(chain.before() + static_cast<Py_ssize_t>(k));
    const Link& link = chain.links[k];
    for (int i = 0; i < link.args; i++) {
      if (!link.described[i] || !link.whole[link.arg[i].i] || link.array[link.arg[i].i].itemsize > 4) continue;
      PyObject* array = PyTuple_GET_ITEM(kept, i);
      auto own = found.begin();
      while (own != found.end() && own->first != array) ++own;
      if (own == found.end()) own = found.insert(own, {array, {}});
      own->second.push_back({k, static_cast<int>(link.arg[i].i)});
    }
  }
  std::vector<size_t> busy;  // of each slot: the link after which it is free again
  for (auto& [array, places] : found) {  // in the order in which they are first met
    PyObject* key = PyLong_FromVoidPtr(array);
    PyObject* range = key ? PyDict_GetItemWithError(hidden, key) : nullptr;
    Py_XDECREF(key);
    if (!range && PyErr_Occurred()) return false;
    Py_ssize_t first, last;
    if (!range) continue;
    if (!PyArg_ParseTuple(range, "nn", &first, &last)) return false;
    const bool is_inside = first >= chain.first && last < chain.first + chain.calls();
    const bool is_written_first = array == result || (places[0].array == 0 && (places.size() == 1 || places[1].link > places[0].link));
    size_t touched = 0;  // also through other arrays on its memory
    for (const Link& link : chain.links) touched += link.touching(array == result ? chain.product.out : chain.links[places[0].link].array[0]);
    if (!is_inside || !is_written_first || touched != places.size()) continue;
    if (array == result) {
      for (const Place& each : places) chain.links[each.link].slot[each.array] = gpunet::cpu::OF_PRODUCT;
      chain.product.hidden = true;
      chain.hidden++;
      if (PyList_Append(unwritten, array)) return false;
      continue;
    }
    size_t slot = 0;
    while (slot < busy.size() && busy[slot] >= places[0].link) slot++;
    if (slot == busy.size()) busy.push_back(0);
    busy[slot] = places.back().link;
    for (const Place& each : places) chain.links[each.link].slot[each.array] = static_cast<int>(slot);
    chain.hidden++;
    if (PyList_Append(unwritten, array)) return false;
  }
  chain.slots = static_cast<int>(busy.size());
  return true;
}

// Neighbours that may be carried out together. product: the kernel of matrix products.
std::vector<Chain> chains_of(PyObject* steps, Entry product) {
  std::vector<Chain> found;
  Chain current;
  const Py_ssize_t count = PyTuple_GET_SIZE(steps);
  const auto close = [&](Py_ssize_t end) {
    current.first = end - current.calls();
    if (current.calls() > 1) found.push_back(current);
    current.links.clear();
    current.product = {};
  };
  const auto joins = [&](const Link& link) {
    if (current.product.entry && !current.product.allows(link, false)) return false;
    for (const Link& each : current.links)
      if (each.size != link.size || link.depends(each)) return false;
    return true;
  };
  const auto take_product = [&](Py_ssize_t before, const Link& link) {
    const Call* call = before < 0 ? nullptr : reinterpret_cast<Call*>(PyTuple_GET_ITEM(steps, before));
    Product own;
    if (call && Py_TYPE(call) == &call_type && call->entry == product && product && own.read(call->entry, call->args) &&
        own.allows(link, true))
      current.product = own;
  };
  for (Py_ssize_t i = 0; i < count; i++) {
    const Call* call = reinterpret_cast<Call*>(PyTuple_GET_ITEM(steps, i));
    Link link;
    if (Py_TYPE(call) != &call_type || !call->elementwise ||
        !link.read(call->entry, call->args, static_cast<int>(PyTuple_GET_SIZE(call->kept)), call->descriptions, call->arrays)) {
      close(i);
      continue;
    }
    if (!joins(link)) close(i);
    if (current.links.empty()) take_product(i - 1, link);
    current.links.push_back(link);
  }
  close(count);
  return found;
}

PyObject* program_new(PyTypeObject* type, PyObject* args, PyObject*) {
  PyObject *steps, *hidden = nullptr;
  unsigned long long run_chain = 0, product = 0;
  if (!PyArg_ParseTuple(args, "O|KKO!", &steps, &run_chain, &product, &PyDict_Type, &hidden)) return nullptr;
  PyObject* own = PySequence_Tuple(steps);
  if (!own) return nullptr;
  Program* self = reinterpret_cast<Program*>(type->tp_alloc(type, 0));
  if (!self) {
    Py_DECREF(own);
    return nullptr;
  }
  self->vectorcall = program_call;
  self->steps = own;
  self->run_chain = reinterpret_cast<Entry>(run_chain);
  self->found = new std::vector<Chain>(run_chain ? chains_of(own, reinterpret_cast<Entry>(product)) : std::vector<Chain>{});
  self->chains = PyTuple_New(static_cast<Py_ssize_t>(self->found->size()));
  self->unwritten = PyList_New(0);
  bool good = self->chains && self->unwritten;
  for (size_t i = 0; good && i < self->found->size(); i++) {
    Chain& chain = (*self->found)[i];
    good = !hidden || hide(chain, own, hidden, self->unwritten);
    PyObject* numbers = good ? Py_BuildValue("(nni)", chain.first, chain.calls(), chain.hidden) : nullptr;
    good = numbers;
    if (good) PyTuple_SET_ITEM(self->chains, i, numbers);
  }
  if (!good) Py_CLEAR(self);
  return reinterpret_cast<PyObject*>(self);
}

void program_dealloc(PyObject* self) {
  Program* program = reinterpret_cast<Program*>(self);
  delete program->found;
  Py_XDECREF(program->chains);
  Py_XDECREF(program->unwritten);
  Py_XDECREF(program->steps);
  Py_TYPE(self)->tp_free(self);
}

PyTypeObject program_type = {PyVarObject_HEAD_INIT(nullptr, 0) "gpunet_native.Program"};

}  // namespace
